"""``train``: create or resume a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from forerun.cli.workspace import Directory, OutputDir, enter

_RUN = "The run"
_MODEL = "Models and training"
_DATA = "Data"


def command(
    context: typer.Context,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            "-r",
            metavar="ID",
            help="Name of the run; automatic if omitted.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="YAML file with settings; repeatable, the later file wins.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    output_dir: OutputDir = None,
    log_file: Annotated[
        str | None,
        typer.Option(
            "--log-file",
            "-l",
            metavar="FILE",
            help="File that also receives the log.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    data_file: Annotated[
        str | None,
        typer.Option(
            "--data-file",
            "-d",
            metavar="FILE",
            help="CSV or Parquet, long format.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    freq: Annotated[
        str | None,
        typer.Option(
            "--freq", help="Frequency; inferred from the data if omitted.", rich_help_panel=_DATA
        ),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", help="Steps to forecast.", rich_help_panel=_MODEL),
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(
            "--input-size", "-i", help="Past steps that a network uses.", rich_help_panel=_MODEL
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option("--max-steps", "-s", help="Training steps.", rich_help_panel=_MODEL),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            "-m",
            metavar="A,B,C",
            help="Models; see forerun list-models.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            "--baselines",
            metavar="A,B",
            help="Fast models to compare with.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    n_windows: Annotated[
        int | None,
        typer.Option("--n-windows", "-n", help="Cross-validation windows.", rich_help_panel=_MODEL),
    ] = None,
    test_size: Annotated[
        int | None,
        typer.Option(
            "--test-size",
            "-t",
            help="Held-out steps, instead of --n-windows.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Seed of all random numbers.", rich_help_panel=_MODEL),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            "--levels",
            metavar="80,95",
            help="Prediction intervals, in percent.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option("--accelerator", help="cpu, gpu or auto.", rich_help_panel=_MODEL),
    ] = None,
    max_time: Annotated[
        float | None,
        typer.Option(
            "--max-time", help="Time limit of one fit, in seconds.", rich_help_panel=_MODEL
        ),
    ] = None,
    accept_failures: Annotated[
        bool | None,
        typer.Option(
            "--accept-failures", help="Seal the run even if models failed.", rich_help_panel=_RUN
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting; repeatable.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the plan; do nothing.", rich_help_panel=_RUN),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Show Snakemake's own output.", rich_help_panel=_RUN),
    ] = False,
    directory: Directory = None,
) -> int:
    """Train, cross-validate and compare models: one run, one folder.

    Options override files, files override config/config.yaml. Rerun the command to resume a run
    that was interrupted and to retry only what failed. Everything after -- is passed to Snakemake:
    train --run-id x -- --profile profiles/slurm
    """
    from forerun.cli.call import gather
    from forerun.cli.training import train

    enter(directory)
    options: dict[str, Any] = {
        "run_id": run_id, "output_dir": output_dir, "log_file": log_file, "data_file": data_file,
        "freq": freq, "horizon": horizon, "input_size": input_size, "max_steps": max_steps,
        "models": models, "baselines": baselines, "n_windows": n_windows, "test_size": test_size,
        "seed": seed, "levels": levels, "accelerator": accelerator, "max_time": max_time,
        "accept_failures": accept_failures or None,
    }  # fmt: skip
    for key in ("models", "baselines", "levels"):
        value = options[key]
        if isinstance(value, str):
            options[key] = [part.strip() for part in value.split(",") if part.strip()]
    return train(gather(config or [], options, context.obj or [], set_ or []), dry_run, verbose)
