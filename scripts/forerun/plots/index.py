"""All plots of a run, and an index that describes them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from forerun.base.files import write_json, write_text
from forerun.base.parallel import each
from forerun.base.text import clean, plural
from forerun.plots.drawings import Inputs, Plot, drawings
from forerun.plots.frames import Frames
from forerun.plots.names import file_name
from forerun.plots.style import save
from forerun.runs.json_files import read_plots
from forerun.runs.search import Result

INDEX, README = "index.json", "README.md"
_HEADINGS = {
    "leaderboard": "The models", "error_by_horizon": "The models", "calibration": "The models",
    "search": "Searches", "residuals": "Residuals", "forecast": "Series", "backtest": "Series",
}  # fmt: skip


def write_all(
    folder: str | Path,
    history: pd.DataFrame,
    cv: Frames | None,
    predictions: Frames | None,
    leaderboard: pd.DataFrame | None,
    settings: Mapping[str, Any],
    processes: int = 1,
    searches: Sequence[Result] = (),
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Path]:
    """Write the plots of a run, with ``index.json`` and ``README.md``.

    Parameters
    ----------
    folder
        Target folder; other files in it are kept, outdated plots of an earlier call are removed.
    history
        ``unique_id, ds, y``, other columns are ignored.
    cv, predictions
        Frames by model, as in the run's files; empty ones (failed models) are skipped.
    leaderboard
        One row for each model, which determines the order of models.
    settings
        The run's configuration: ``plot_series`` (number of series to plot, 12), ``plot_formats``
        (png and svg), ``season_length``,
        ``sort_metric``, ``target_col``, ``time_col``, and the models, whose order determines their
        colors.
    processes
        How many draw at once.
    searches
        The searches of the run.
    progress
        Called with the number of figures drawn so far, and of all.

    Returns
    -------
    list of Path
        The files that were written.
    """
    inputs = Inputs.of(history, cv, predictions, leaderboard, settings, searches)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made = drawings(inputs)
    formats = settings.get("plot_formats") or ["png", "svg"]

    def draw(number: int) -> list[Path]:
        gc.freeze()  # existing objects are not searched for garbage with each figure
        return save(made[number].draw(), folder, made[number].plot.name, formats)

    progress(0, len(made))
    files: list[list[Path]] = []
    for paths in each(draw, len(made), processes):
        files.append(paths)
        progress(len(files), len(made))
    plots = [
        replace(drawing.plot, files={path.suffix[1:]: path.name for path in paths})
        for drawing, paths in zip(made, files, strict=True)
    ]
    _remove_stale(folder, plots)
    write_json(folder / INDEX, {
        "plots": [asdict(plot) for plot in plots],
        "series": [asdict(chosen) for chosen in inputs.series],
        "colours": {m: look.color for m, look in inputs.palette.items()},
    })  # fmt: skip
    write_text(folder / README, _readme(plots, inputs, formats))
    return [path for paths in files for path in paths]


def _remove_stale(folder: Path, plots: Sequence[Plot]) -> None:
    """Remove outdated plots of an earlier call."""
    kept = {name for plot in plots for name in plot.files.values()}
    earlier = read_plots(folder)
    for name in {name for entry in earlier for name in entry.get("files", {}).values()} - kept:
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)


def _readme(plots: Sequence[Plot], inputs: Inputs, formats: Sequence[str]) -> str:
    """Return the index as Markdown with the plots."""
    total = inputs.history["unique_id"].nunique()
    lines = [
        "# Plots", "",
        f"Each plot is here as {' and as '.join(map(str.upper, formats))}. "
        f"{plural(len(inputs.series), 'series')} of {total:,} were chosen by the error of the best "
        "model (relative to the seasonal naive error): the best, the worst, and others spread "
        "between them (`plot_series` in the configuration says how many). A model has the same "
        "color in every plot; `index.json` "
        "lists the same for programs.", "",
    ]  # fmt: skip
    heading = ""
    for plot in plots:
        if _HEADINGS[plot.kind] != heading:
            heading = _HEADINGS[plot.kind]
            lines += [f"## {heading}", ""]
        title, about = _escape(plot.title), _escape(plot.about)
        links = ", ".join(f"[{kind.upper()}]({plot.files[kind]})" for kind in formats)
        lines += [
            f"### {title}",
            "",
            f"{about} {links}",
            "",
            f"![{title}]({plot.files[formats[0]]})",
            "",
        ]
    if not plots:
        lines += ["There was nothing to draw.", ""]
    return "\n".join(lines)


def _escape(text: str) -> str:
    """Return text escaped for Markdown."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>()#+!|$~" else letter
                   for letter in clean(text))  # fmt: skip


def write_plot(figure: Figure, folder: str | Path, kind: str, unique_id: object) -> list[Path]:
    """Write one plot of a series to ``<kind>_<safe name>.png`` and ``.svg``."""
    return save(figure, folder, f"{kind}_{file_name(unique_id)}")
