"""``compare``: compare runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forerun.base.errors import UserError
from forerun.cli.workspace import Directory, OutputDir, workspace

if TYPE_CHECKING:
    from forerun.evaluation.comparison import Compared


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.")],
    metric: Annotated[
        str | None, typer.Option("--metric", help="Show only this metric, e.g. mase.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="File of the figure; comparison.png if omitted."
        ),
    ] = None,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw nothing.")] = False,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Compare runs: differing settings and the errors of each model, the lowest marked with *.

    Runs with different data or windows are compared on their common series and windows. Runs with a
    different horizon, gap, target or frequency are shown but not ranked.
    """
    from forerun.base.files import new_path
    from forerun.base.terminal import echo
    from forerun.evaluation import comparison
    from forerun.plots.compared_runs import write

    if plot is not None and plot.exists():
        raise UserError(f"--plot: '{plot}' exists, and nothing is overwritten; use another name")
    if len(set(runs)) < 2:
        raise UserError("compare needs two different runs, such as: forerun compare run_a run_b")
    work = workspace(output_dir, directory)
    folders = [work.frozen(run) for run in dict.fromkeys(runs)]
    found = comparison.compare(folders)
    if metric is not None and metric not in found.scores:
        raise UserError(f"--metric: there is no '{metric}', only {', '.join(found.scores)}")
    _print(found, [metric] if metric else list(found.scores))
    if not no_plot:
        drawn = metric or next(iter(found.scores))
        with new_path(plot or work.output / "comparison.png") as new:
            write(found, drawn, new.temporary)
        echo(f"plot: {new.path}")
    _page(found, folders, work.output)


def _print(found: Compared, metrics: list[str]) -> None:
    """Print the differing settings, the errors and the verdicts."""
    from forerun.base.terminal import echo
    from forerun.cli.console import show, table

    if found.settings:
        rows = [(key, *map(_brief, values)) for key, values in found.settings.items()]
        show(table(["setting", *found.names], rows, "Settings that differ"))
    else:
        echo("the settings are identical")
    if found.reasons:
        echo(f"not comparable and not ranked: {'; '.join(found.reasons)}")
    echo(*found.notes)
    for name in metrics:
        show(table([name, *found.names], _rows(found, name)))
    echo(*found.verdicts())


def _brief(value: Any) -> str:
    if isinstance(value, list):
        names = [item.get("name", item) if isinstance(item, dict) else item for item in value]
        return ", ".join(map(str, names)) or "none"
    return "" if value is None else str(value)


def _rows(found: Compared, metric: str) -> list[list[str]]:
    from forerun.cli.console import cell

    rows = []
    for model, values in found.scores[metric].items():
        best = found.best(metric, model)
        shown = [cell(value, metric) for value in values]
        marked = [f"{v}{' *' if place == best else ''}" for place, v in enumerate(shown)]
        rows.append([model, *marked])
    return rows


def _page(found: Compared, folders: list[Path], output: Path) -> None:
    from forerun.base.files import new_path
    from forerun.base.terminal import echo
    from forerun.report.comparison import write_comparison

    try:
        with new_path(output / "comparison.html") as new:
            write_comparison(folders, new.temporary, found)
    except UserError as error:
        echo(f"no page: {error}")
    else:
        echo(f"page: {new.path}")
