"""``report.html``: the page of one run."""

from __future__ import annotations

import functools
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from forerun.base import text
from forerun.base.text import time_text
from forerun.config import schema
from forerun.config.names import COMBINED, ENSEMBLE, PER_SERIES
from forerun.evaluation import cautions
from forerun.evaluation.scales import scale_by_series
from forerun.plots import palette
from forerun.plots.names import axis_names
from forerun.report import charts
from forerun.report.errors import Backtest, backtest, window_names
from forerun.report.pack import Line, pack
from forerun.report.page import write_page
from forerun.runs.outcome import UNFINISHED
from forerun.runs.reader import RunReader
from forerun.runs.search import results
from forerun.runs.state import is_sealed

#: Number of best and worst series in tables, and maximum number of series in the picker.
EXTREMES, MOST_SERIES = 10, 2000
#: Bytes of back-tests that are kept in memory.
MOST_KEPT = 100_000_000
_ABOUT_COMBINED = {
    PER_SERIES: " (for each series the model that was best on it)",
    ENSEMBLE: " (a weighted mean of the models)",
}


def write_report(folder: str | Path, path: str | Path | None = None) -> Path:
    """Write the page of a run and return its path (by default ``report.html`` in the run).

    Pages have at most 5 MB; of many series they show a sample, with a note.
    """
    run = _Once(folder)
    path = run.paths.report if path is None else Path(path)
    board = run.leaderboard
    history = run.history
    order = {str(model): number for number, model in enumerate(board["model"])}
    tests, names = _backtests(run, history)
    extremes = _extremes(run)
    data, shown = _data(run, history, board, tests, names, order, extremes)
    write_page(
        path,
        "report.html.j2",
        data=data,
        run=run,
        summary=_summary(run, history, board),
        columns=_columns(run, board),
        board=_board(board, tests),
        levels=sorted({level for test in tests.values() for level in test.coverage}),
        tests=bool(tests),
        searches=bool(run.config.get("search")),
        failures=_failures(run),
        cautions=cautions.of_run(run.folder),
        extremes=extremes,
        shown=shown,
        overview=_overview(run, history),
        settings=_settings(run.config),
        experiment=run.run_id,
        provenance=_provenance(run.provenance),
    )
    return path


class _Once(RunReader):
    """A run whose back-tests are read once, if they are small enough to be kept."""

    @functools.cached_property
    def _are_kept(self) -> bool:
        files = self.folder.glob("cv_results_*.csv")
        return sum(file.stat().st_size for file in files) < MOST_KEPT

    @functools.cached_property
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
    tests: dict[str, Backtest] = {}
    names: list[str] = []
    for model in run.ranked:
        cv = run.cv_results_of(model)
        if len(cv) and model not in run.failed:
            tests[model] = backtest(cv, model, scale)
            names = names or window_names(cv)
    return tests, names


def _data(
    run: RunReader,
    history: pd.DataFrame,
    board: pd.DataFrame,
    tests: dict[str, Backtest],
    names: list[str],
    order: dict[str, int],
    extremes: dict[str, Any] | None,
) -> tuple[str, dict[str, int]]:
    good = [model for model in order if model not in run.failed]
    more = [name for name in reversed(COMBINED) if name not in order]
    shown = good + [name for name in more if len(run.predictions_of(name))]
    lines = [
        Line(
            model,
            model,
            functools.partial(run.cv_results_of, model),
            functools.partial(run.predictions_of, model),
        )
        for model in shown
    ]
    metrics = run.config["metrics"]
    places = {model: number for number, model in enumerate(shown)}
    colors = palette.places_of(run)
    drawn = [charts.lengths(history)]
    if tests:
        drawn += [
            charts.by_model(board, metrics, places),
            charts.by_window(tests, names, places),
            charts.by_step(tests, int(run.config["gap"]), places),
            charts.over_series(run.metrics, metrics, places),
            charts.searches(results(run.paths, run.config), run.config["sort_metric"], places),
        ]
    extra = {
        "models": shown,
        "looks": [asdict(palette.style(model, colors)) for model in shown],
        "axes": axis_names(run.config, history["ds"]),
        "charts": [chart for chart in drawn if chart],
    }
    return pack(history, lines, _sample(history, extremes), extra=extra)


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


def _summary(run: RunReader, history: pd.DataFrame, board: pd.DataFrame) -> dict[str, Any]:
    metric = run.config["sort_metric"]
    ranked = board[board["rank"].notna()] if "rank" in board else board
    best = ranked.iloc[0] if len(ranked) else None
    alone = ranked[~ranked["model"].isin(COMBINED)]
    single = board[~board["model"].isin(COMBINED)]
    return {
        "state": "complete" if is_sealed(run.folder) else "partial" if run.failed else "unfinished",
        "metric": charts.metric_name(metric),
        "weighting": _weighting(run.config),
        "best": None if best is None else str(best["model"]),
        "combined": "" if best is None else _ABOUT_COMBINED.get(str(best["model"]), ""),
        "best_model": str(alone["model"].iloc[0]) if len(alone) else None,
        "best_model_error": alone[metric].iloc[0] if len(alone) and metric in board else None,
        "error": None if best is None or metric not in board else best[metric],
        "skill": None if best is None else best["skill"],
        "series": history["unique_id"].nunique(),
        "rows": len(history),
        "ok": int((~single["status"].isin(UNFINISHED)).sum()),
        "of": len(single),
        "seconds": board[["train_seconds", "cv_seconds"]].sum().sum(),
    }


def _weighting(config: dict[str, Any]) -> str:
    """Return what the weights of the errors mean, if there are any."""
    parts = []
    if config.get("horizon_weight"):
        parts.append("Errors of a window are means weighted by step (horizon_weight).")
    if config.get("weights_file"):
        parts.append("Means over series are weighted by series (weights_file).")
    also = "The charts of errors by window, step and series are not weighted." if parts else ""
    return " ".join([*parts, also]).strip()


def _columns(run: RunReader, board: pd.DataFrame) -> list[dict[str, str]]:
    wanted = [*run.config["metrics"], *(m for m in ("scaled_crps",) if m in board)]
    return [
        {"key": metric, "name": charts.metric_name(metric), "about": charts.ABOUT.get(metric, "")}
        for metric in wanted
    ]


def _board(board: pd.DataFrame, tests: dict[str, Backtest]) -> list[dict[str, Any]]:
    records = board.astype(object).where(board.notna(), None).to_dict("records")
    rows = [{str(key): value for key, value in record.items()} for record in records]
    for row in rows:
        test = tests.get(row["model"])
        row["coverage"] = test.coverage if test else {}
    return rows


def _failures(run: RunReader) -> list[dict[str, Any]]:
    rows = []
    for model, reason in run.failed.items():
        status = run.statuses[model]
        rows.append(
            {
                "model": model,
                "stage": status.stage or "",
                "kind": status.error.kind if status.error else "",
                "reason": reason,
                "log": status.log or "",
                "attempts": status.attempts,
            }
        )
    return rows


def _extremes(run: RunReader) -> dict[str, Any] | None:
    """Return the series with the smallest and largest scaled error of the best model."""
    ranked = [model for model in run.ranked if model in run.metrics and model not in run.failed]
    if not ranked:
        return None
    metric = next((m for m in ("mase", "rmsse", "smape") if m in run.config["metrics"]), None)
    metric = metric or run.config["sort_metric"]
    table = run.metrics[run.metrics["metric"] == metric].set_index("unique_id")
    errors = table[ranked[0]].dropna().sort_values()
    if errors.empty:
        return None
    number = min(EXTREMES, max(1, len(errors) // 2))
    single = [model for model in ranked if model not in COMBINED]
    wins = table[single].dropna(how="all").idxmin(axis=1) if len(single) > 1 else None

    def rows(part: pd.Series) -> list[dict[str, Any]]:
        return [
            {"unique_id": str(name), "error": float(value)}
            | {"winner": None if wins is None else str(wins.get(name))}
            for name, value in part.items()
        ]

    return {
        "model": ranked[0],
        "metric": charts.metric_name(metric),
        "key": metric,
        "best": rows(errors.head(number)),
        "worst": rows(errors.tail(number)[::-1]) if len(errors) > 1 else [],
    }


def _overview(run: RunReader, history: pd.DataFrame) -> dict[str, Any]:
    sizes = history.groupby("unique_id", observed=True).size()
    y = history["y"]
    notes = (run.provenance.get("data") or {}).get("notes") or []
    return {
        "start": time_text(history["ds"].min()),
        "end": time_text(history["ds"].max()),
        "shortest": int(sizes.min()),
        "median": float(sizes.median()),
        "longest": int(sizes.max()),
        "low": float(y.min()),
        "middle": float(y.median()),
        "high": float(y.max()),
        "zeros": float((y == 0).mean()),
        "missing": int(y.isna().sum()),
        "notes": [str(note) for note in notes],
    }


def _settings(config: dict[str, Any]) -> list[dict[str, Any]]:
    rules, defaults = schema.properties(), schema.defaults()
    rows = []
    for key, value in config.items():
        shown = value
        if key in ("models", "baselines"):
            from forerun.config.models import brief

            shown = brief(value)
        elif key == "search":
            from forerun.config.search import brief as searches

            shown = searches(value)
        rows.append(
            {
                "key": key,
                "value": text.setting(shown),
                "about": (rules.get(key) or {}).get("description", ""),
                "changed": shown != defaults.get(key),
            }
        )
    return rows


def _provenance(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    git, data = provenance.get("git") or {}, provenance.get("data") or {}
    commit = git.get("commit")
    dirty = " (with changes that were not committed)" if git.get("dirty") else ""
    rows = [
        ("Created", text.moment(provenance.get("created_at"))),
        ("Created by", str(provenance.get("created_by") or text.MISSING)),
        ("Git commit", f"{commit}{dirty}" if commit else text.MISSING),
        ("Data file", str(data.get("file") or text.MISSING)),
        ("sha256 of the data", str(data.get("sha256") or text.MISSING)),
        ("Seed", str(provenance.get("seed", text.MISSING))),
        ("Python", str(provenance.get("python") or text.MISSING)),
        ("Platform", str(provenance.get("platform") or text.MISSING)),
    ]
    return rows + [(name, str(v)) for name, v in (provenance.get("versions") or {}).items()]
