"""``train``: create or resume a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, enter

_run = partial(typer.Option, rich_help_panel="The run")
_model = partial(typer.Option, rich_help_panel="Models and training")
_data = partial(typer.Option, rich_help_panel="Data")


# An option named like a key of the configuration sets that key.
def command(
    context: typer.Context,
    run_id: Annotated[
        str | None,
        _run("--run-id", "-r", metavar="ID", help="Name of the run; automatic if omitted."),
    ] = None,
    config: Annotated[
        list[Path] | None,
        _run(
            "--config",
            "-c",
            metavar="FILE",
            help="YAML file with settings; repeatable, the later file wins.",
        ),
    ] = None,
    output_dir: OutputDir = None,
    log_file: Annotated[
        str | None,
        _run("--log-file", "-l", metavar="FILE", help="File that also receives the log."),
    ] = None,
    data_file: Annotated[
        str | None, _data("--data-file", "-d", metavar="FILE", help="CSV or Parquet, long format.")
    ] = None,
    freq: Annotated[
        str | None, _data("--freq", help="Frequency; inferred from the data if omitted.")
    ] = None,
    horizon: Annotated[int | None, _model("--horizon", help="Steps to forecast.")] = None,
    input_size: Annotated[
        int | None, _model("--input-size", "-i", help="Past steps that a network uses.")
    ] = None,
    max_steps: Annotated[int | None, _model("--max-steps", "-s", help="Training steps.")] = None,
    models: Annotated[
        str | None,
        _model("--models", "-m", metavar="A,B,C", help="Models; see forerun list-models."),
    ] = None,
    baselines: Annotated[
        str | None, _model("--baselines", metavar="A,B", help="Fast models to compare with.")
    ] = None,
    n_windows: Annotated[
        int | None, _model("--n-windows", "-n", help="Cross-validation windows.")
    ] = None,
    test_size: Annotated[
        int | None, _model("--test-size", "-t", help="Held-out steps, instead of --n-windows.")
    ] = None,
    seed: Annotated[int | None, _model("--seed", help="Seed of all random numbers.")] = None,
    levels: Annotated[
        str | None, _model("--levels", metavar="80,95", help="Prediction intervals, in percent.")
    ] = None,
    accelerator: Annotated[str | None, _model("--accelerator", help="cpu, gpu or auto.")] = None,
    max_time: Annotated[
        float | None, _model("--max-time", help="Time limit of one fit, in seconds.")
    ] = None,
    accept_failures: Annotated[
        bool | None, _run("--accept-failures", help="Seal the run even if models failed.")
    ] = None,
    set_: Annotated[
        list[str] | None, _run("--set", metavar="KEY=VALUE", help="Any other setting; repeatable.")
    ] = None,
    dry_run: Annotated[bool, _run("--dry-run", help="Print the plan; do nothing.")] = False,
    trust: Annotated[
        bool, _run("--trust", help="Execute the code of a run from elsewhere.")
    ] = False,
    verbose: Annotated[bool, _run("--verbose", help="Show Snakemake's own output.")] = False,
    directory: Directory = None,
) -> int:
    """Train, cross-validate and compare models: one run, one folder.

    Options override files, files override config/config.yaml. Rerun the command to resume a run
    that was interrupted and to retry only what failed. Everything after -- is passed to Snakemake:
    train --run-id x -- --profile profiles/slurm
    """
    from forerun.base.text import split_at_commas
    from forerun.cli.call import gather
    from forerun.cli.training import train
    from forerun.config.schema import properties

    enter(directory)
    options = {key: context.params[key] for key in properties() if key in context.params}
    for key in ("models", "baselines", "levels"):
        if options[key] is not None:
            options[key] = split_at_commas(options[key])
    call = gather(config or [], options, context.obj or [], set_ or [])
    return train(call, dry_run, verbose, trust)
