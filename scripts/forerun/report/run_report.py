"""``report.html``: the page of one run."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.config.names import COMBINED
from forerun.evaluation import cautions
from forerun.evaluation.computed import Computed
from forerun.evaluation.scales import scale_by_series
from forerun.plots import palette
from forerun.plots.frames import keys_of
from forerun.plots.names import axis_names
from forerun.report import charts
from forerun.report import run_sections as sections
from forerun.report.errors import Backtest, Places, backtest, window_names
from forerun.report.pack import Line, pack
from forerun.report.page import write_page
from forerun.runs.reader import RunReader
from forerun.runs.records import recorded_files
from forerun.runs.run_data import read_categories, until_last_value
from forerun.runs.search import results

#: Maximum number of series in the picker.
MOST_SERIES = 2000
#: Bytes of back-tests that are kept in memory.
MOST_KEPT = 100_000_000


def write_report(folder: str | Path, path: str | Path | None = None) -> Path:
    """Write the page of a run and return its path (by default ``report.html`` in the run).

    Pages have at most 5 MB; of many series they show a sample, with a note.
    """
    run = _Once(folder)
    path = run.paths.report if path is None else Path(path)
    board = run.leaderboard
    history = run.history
    tests, names = _backtests(run, history)
    extremes = sections.extremes(run)
    data, shown = _data(run, history, board, tests, names, extremes)
    write_page(
        path,
        "report.html.j2",
        data=data,
        run=run,
        summary=sections.summary(run, history, board),
        columns=sections.columns(run, board),
        board=sections.leaderboard(board, tests),
        levels=sorted({level for test in tests.values() for level in test.coverage}),
        tests=bool(tests),
        searches=bool(run.config.get("search")),
        failures=sections.failures(run),
        cautions=cautions.of_run(run.folder),
        extremes=extremes,
        shown=shown,
        overview=sections.overview(run, history),
        settings=sections.settings(run.config),
        experiment=run.run_id,
        provenance=sections.provenance(run.provenance),
    )
    return path


def record_report(folder: str, report: str) -> None:
    """Write and record the page of a run: the work of the rule ``report_run``."""
    target = Path(report)
    with recorded_files(target.parent, ".", target.name) as temporary:
        write_report(folder, temporary / target.name)


class _Once(RunReader):
    """A run whose back-tests are read once, if they are small enough to be kept."""

    @cached_property
    def history(self) -> pd.DataFrame:
        """``unique_id`` (categories), ``ds``, ``y`` up to the last observation of each series."""
        return until_last_value(read_categories(self.paths.data))

    @cached_property
    def _are_kept(self) -> bool:
        files = self.folder.glob("cv_results_*.csv")
        return sum(file.stat().st_size for file in files) < MOST_KEPT

    @cached_property
    def _kept(self) -> dict[str, pd.DataFrame]:
        return {}

    def cv_results_of(self, model: str) -> pd.DataFrame:
        if not self._are_kept:
            return super().cv_results_of(model)
        if model not in self._kept:
            self._kept[model] = super().cv_results_of(model)
        return self._kept[model]


def _backtests(run: RunReader, history: pd.DataFrame) -> tuple[dict[str, Backtest], list[str]]:
    """Summarize the cross-validation of the models, one model in memory at a time."""
    scale = scale_by_series(history, int(run.config["season_length"]))
    places: Computed[Places] = Computed()
    tests: dict[str, Backtest] = {}
    names: list[str] = []
    for model in run.ranked:
        cv = run.cv_results_of(model)
        if len(cv) and model not in run.failed:
            own = places.of(keys_of(cv), partial(Places.of, cv, scale))
            tests[model] = backtest(cv, model, own)
            names = names or window_names(cv)
    return tests, names


def _data(
    run: RunReader,
    history: pd.DataFrame,
    board: pd.DataFrame,
    tests: dict[str, Backtest],
    names: list[str],
    extremes: dict[str, Any] | None,
) -> tuple[str, dict[str, int]]:
    """Return the page's data: the series of the picker, and the charts."""
    scored = [str(model) for model in board["model"]]
    more = [name for name in reversed(COMBINED) if name not in scored]
    shown = [model for model in scored if model not in run.failed]
    shown += [name for name in more if len(run.predictions_of(name))]
    lines = [
        Line(m, m, partial(run.cv_results_of, m), partial(run.predictions_of, m)) for m in shown
    ]
    places = {model: number for number, model in enumerate(shown)}
    drawn = [charts.lengths(history)]
    if tests:
        drawn += _charts(run, board, tests, names, places)
    colors = palette.places_of(run)
    extra = {
        "models": shown,
        "looks": [asdict(palette.style(model, colors)) for model in shown],
        "axes": axis_names(run.config, history["ds"]),
        "charts": [chart for chart in drawn if chart],
    }
    return pack(history, lines, _sample(history, extremes), extra=extra)


def _charts(
    run: RunReader,
    board: pd.DataFrame,
    tests: dict[str, Backtest],
    names: list[str],
    places: dict[str, int],
) -> list[dict[str, Any] | None]:
    """Return the charts of the cross-validation; None for those without data."""
    metrics = run.config["metrics"]
    return [
        charts.by_model(board, metrics, places),
        charts.by_window(tests, names, places),
        charts.by_step(tests, int(run.config["gap"]), places),
        charts.over_series(run.metrics, metrics, places),
        charts.searches(results(run.paths, run.config), run.config["sort_metric"], places),
    ]


def _sample(history: pd.DataFrame, extremes: dict[str, Any] | None) -> list[str]:
    """Return the series for the picker: best and worst first, then an even sample."""
    every = [str(name) for name in history["unique_id"].unique()]
    if not extremes:
        first = []
    else:
        first = [row["unique_id"] for row in [*extremes["best"], *extremes["worst"]]]
    stride = max(1, len(every) // MOST_SERIES)
    # Later strides fill the gaps of earlier ones.
    spread = [every[i] for i in _spread(len(every), stride)]
    return list(dict.fromkeys([*first, *spread]))[:MOST_SERIES]


def _spread(count: int, stride: int) -> list[int]:
    """Return indices in an order of which every prefix is an even sample."""
    order, step = [0], 1
    while step < count:
        step *= 2
    while step >= 1:
        order += range(step // 2, count, step) if step > 1 else []
        step //= 2
    seen = dict.fromkeys(order)
    return [i for i in [*seen, *range(0, count, stride)] if i < count]
