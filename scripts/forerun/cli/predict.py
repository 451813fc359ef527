"""``predict``: forecast with the models of a run."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir

_what = partial(typer.Option, rich_help_panel="What to forecast")
_pick = partial(typer.Option, rich_help_panel="One series, all models")


def command(
    context: typer.Context,
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", "-r", metavar="ID", help="Run; the newest complete if omitted."),
    ] = None,
    output_dir: OutputDir = None,
    models: Annotated[
        str | None, _what("--models", "-m", metavar="A,B", help="Only these models.")
    ] = None,
    unique_id: Annotated[
        list[str] | None,
        _what("--unique-id", "-u", metavar="X", help="Only this series; repeatable."),
    ] = None,
    data_file: Annotated[
        str | None,
        _what("--data-file", "-d", metavar="FILE", help="New observations with the same columns."),
    ] = None,
    static_file: Annotated[
        str | None, _what("--static-file", metavar="FILE", help="Static features of the new data.")
    ] = None,
    futr_file: Annotated[
        str | None,
        _what("--futr-file", metavar="FILE", help="Known future values of the new data."),
    ] = None,
    name: Annotated[
        str | None, _what("--name", help="Folder in inference/ for the results.")
    ] = None,
    cherry_pick: Annotated[
        bool, _pick("--cherry-pick", help="Select one series and plot all models on it.")
    ] = False,
    best: Annotated[
        bool, _pick("--best", help="The series with the lowest mean MAE (default).")
    ] = False,
    any_one: Annotated[bool, _pick("--random", help="A random series.")] = False,
    seed: Annotated[int, _pick("--seed", help="Seed of --random.")] = 42,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw nothing.")] = False,
    no_save: Annotated[
        bool, typer.Option("--no-save-predictions", help="Print forecasts; write no tables.")
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Use models even if they fail verification.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load old pickled models, which can execute any code.")
    ] = False,
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing", help="Forecast without models that lack future values or series."
        ),
    ] = False,
    directory: Directory = None,
) -> int:
    """Forecast with the models of any run, without training.

    The run's own predictions are made by the workflow; forecasts for selected series, selected
    models or new data are written to inference/ in the run's folder.
    """
    from forerun.base.errors import UserError
    from forerun.base.text import split_at_commas
    from forerun.cli.forecasting import Options, forecast
    from forerun.cli.workspace import workspace

    if best and any_one:
        raise UserError("--best and --random cannot be combined")
    if (best or any_one) and not cherry_pick:
        raise UserError("--best and --random require --cherry-pick")
    if data_file is None and (static_file or futr_file):
        raise UserError("--static-file and --futr-file require --data-file")
    options = Options(
        run_id=run_id,
        models=split_at_commas(models) if models else None,
        unique_ids=list(unique_id or []),
        data_file=data_file, static_file=static_file, futr_file=futr_file, name=name,
        cherry_pick=cherry_pick, seed=seed if any_one else None, plot=not no_plot,
        save=not no_save, verify=not no_verify, trust=trust,
        skip_missing=skip_missing, extras=list(context.obj or []),
    )  # fmt: skip
    return forecast(workspace(output_dir, directory), options)
