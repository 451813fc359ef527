"""``compare``: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from forerun.cli.workspace import Directory, OutputDir, workspace
from forerun.errors import UserError


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.")],
    metric: Annotated[
        str | None, typer.Option("--metric", help="Only this metric, e.g. mase.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="The picture; comparison.png if left out."),
    ] = None,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw nothing.")] = False,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Compare runs: which settings differ, and each model's errors, the better one marked with *.

    Runs with other data, another horizon or other windows are shown, but not ranked.
    """
    from forerun import comparing
    from forerun.cli.console import say, show, table

    if len(set(runs)) < 2:
        raise UserError("compare needs two different runs, such as: forerun compare run_a run_b")
    work = workspace(output_dir, directory)
    folders = [work.frozen(run) for run in dict.fromkeys(runs)]
    found = comparing.compare(folders)
    if metric is not None and metric not in found.scores:
        raise UserError(f"--metric: there is no '{metric}', only {', '.join(found.scores)}")
    if found.settings:
        rows = [(key, *map(_brief, values)) for key, values in found.settings.items()]
        show(table(["setting", *found.names], rows, "Settings that differ"))
    else:
        say("their settings are the same")
    if found.reasons:
        say(f"not comparable, so not ranked: {'; '.join(found.reasons)}")
    for name in [metric] if metric else list(found.scores):
        show(table([name, *found.names], _rows(found, name)))
    if not no_plot:
        drawn = metric or next(iter(found.scores))
        target = plot or work.output / "comparison.png"
        comparing.write(found, drawn, target)
        say(f"plot: {target}")
    _page(folders, work.output)


def _brief(value: Any) -> str:
    if isinstance(value, list):
        names = [item.get("name", item) if isinstance(item, dict) else item for item in value]
        return ", ".join(map(str, names)) or "none"
    return "" if value is None else str(value)


def _rows(found: Any, metric: str) -> list[list[str]]:
    from forerun.cli.console import cell

    rows = []
    for model, values in found.scores[metric].items():
        best = found.best(metric, model)
        marked = [f"{cell(v)}{' *' if place == best else ''}" for place, v in enumerate(values)]
        rows.append([model, *marked])
    return rows


def _page(folders: list[Path], output: Path) -> None:
    from forerun.cli.console import say
    from forerun.report.comparison import write_comparison

    say(f"page: {write_comparison(folders, output / 'comparison.html')}")
