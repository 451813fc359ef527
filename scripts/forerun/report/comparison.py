"""``comparison.html``: runs side by side."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from forerun import palette, text
from forerun.errors import UserError
from forerun.models import brief
from forerun.plots.axes import axis_names
from forerun.report import charts
from forerun.report.compare import LEVEL, Comparison, holm, paired
from forerun.report.pack import Line, pack
from forerun.report.page import write_page
from forerun.run import Run, open_run

#: Most runs on a page, and most models whose forecasts are laid over each other.
MOST_RUNS, MOST_LINES, MOST_SERIES = 8, 24, 1000
_NOT_COMPARED = ("run_id", "output_dir", "log_file")


def write_comparison(folders: Sequence[str | Path], path: str | Path) -> Path:
    """Write a page that compares two or more runs.

    The first run is what the others are compared with in the charts; the table has every pair.

    Raises
    ------
    UserError
        Fewer than two runs, a run twice, too many, or one that has no results.
    """
    runs = [open_run(folder) for folder in folders]
    names = [run.run_id for run in runs]
    if len(runs) < 2:
        raise UserError("compare needs two runs or more, such as: forerun compare exp1 exp2")
    if len(runs) > MOST_RUNS:
        raise UserError(f"compare takes at most {MOST_RUNS} runs, not {len(runs)}")
    if len(set(names)) < len(names):
        raise UserError("compare: the same run is named twice; name different runs")
    metrics = [m for m in runs[0].config["metrics"] if all(m in r.config["metrics"] for r in runs)]
    best = [_best(run) for run in runs]
    rows, drawn = _compare(runs, best, metrics)
    wanted = _wanted(runs, best)
    lines = [_line(run, model) for run, model in wanted]
    ids = _common(runs)
    history = max((run.history for run in runs), key=len)
    extra = {
        "models": [line.name for line in lines],
        "looks": _looks(runs, wanted),
        "axes": axis_names(runs[0].config, history["ds"]),
        "charts": drawn,
    }
    data, shown = pack(history, lines, ids[:MOST_SERIES], extra=extra)
    write_page(
        path,
        "comparison.html.j2",
        data=data,
        names=names,
        runs=[_summary(run, model) for run, model in zip(runs, best, strict=True)],
        metrics=[{"key": m, "name": charts.metric_name(m)} for m in metrics],
        chosen=_chosen(runs[0], metrics),
        rows=rows,
        scatters=[{"id": chart["id"], "title": chart["title"]} for chart in drawn],
        settings=_settings(runs),
        warnings=_warnings(runs),
        shown=shown | {"of": len(ids)},
        level=LEVEL,
    )
    return Path(path)


def _best(run: Run) -> str:
    known = [m for m in run.ranked if m in run.metrics and m not in run.failed]
    if not known:
        raise UserError(f"run '{run.run_id}' has no model that finished: nothing to compare")
    return known[0]


def _chosen(run: Run, metrics: list[str]) -> str:
    wanted = str(run.config["sort_metric"])
    return wanted if wanted in metrics else metrics[0] if metrics else ""


def _common(runs: Sequence[Run]) -> list[str]:
    """Return the series of all runs; those of any where none is in all."""
    each = [[str(name) for name in run.history["unique_id"].unique()] for run in runs]
    shared = set(each[0]).intersection(*each[1:])
    if not shared:
        raise UserError("compare: these runs have no series in common")
    return [name for name in each[0] if name in shared]


def _compare(
    runs: list[Run], best: list[str], metrics: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Compare each pair of runs: their best models, and those that both have."""
    rows: list[dict[str, Any]] = []
    drawn: list[dict[str, Any]] = []
    for metric in metrics:
        part = _pairs(runs, best, metric)
        adjusted = holm([comparison.p for _, _, comparison, _ in part])
        for (first, second, comparison, _), p in zip(part, adjusted, strict=True):
            rows.append(_row(first, second, replace(comparison, p=p)))
    for number, run in enumerate(runs[1:], start=1):
        tables = {
            metric: paired(runs[0].metrics, run.metrics, metric, (best[0], best[number]))[1]
            for metric in metrics
        }
        labels = f"{runs[0].run_id} ({best[0]})", f"{run.run_id} ({best[number]})"
        chart = charts.scatter(tables, *labels, number)
        if chart["variants"]:
            drawn.append(chart | {"title": f"{runs[0].run_id} against {run.run_id}"})
    return rows, drawn


def _pairs(
    runs: list[Run], best: list[str], metric: str
) -> list[tuple[str, str, Comparison, pd.DataFrame]]:
    found = []
    for (a, first), (b, second) in combinations(enumerate(runs), 2):
        both = [m for m in first.ranked if m in first.metrics and m in second.metrics]
        pairs = dict.fromkeys([(best[a], best[b]), *((model, model) for model in both)])
        for models in pairs:
            comparison, frame = paired(first.metrics, second.metrics, metric, models)
            found.append((first.run_id, second.run_id, comparison, frame))
    return found


def _row(first: str, second: str, comparison: Comparison) -> dict[str, Any]:
    same = comparison.model_first == comparison.model_second
    names = comparison.model_first if same else (
        f"{comparison.model_first} against {comparison.model_second}"
    )  # fmt: skip
    verdict = comparison.verdict(first, second)
    return {
        "metric": comparison.metric,
        "measure": charts.metric_name(comparison.metric),
        "runs": f"{first} → {second}",
        "models": names if same else f"{names} (best of each)",
        "comparison": comparison,
        "verdict": verdict,
        "real": comparison.real,
    }


def _wanted(runs: list[Run], best: list[str]) -> list[tuple[Run, str]]:
    """Return the models to draw: the best of each run, then the others in turn."""
    wanted = list(zip(runs, best, strict=True))
    others = [[m for m in r.ranked if m in r.metrics and m not in r.failed] for r in runs]
    for rank in range(max(map(len, others))):
        for run, models in zip(runs, others, strict=True):
            if rank < len(models) and (run, models[rank]) not in wanted:
                wanted.append((run, models[rank]))
    return wanted[:MOST_LINES]


def _line(run: Run, model: str) -> Line:
    return Line(
        f"{run.run_id} · {model}",
        model,
        functools.partial(run.cv_results_of, model),
        functools.partial(run.predictions_of, model),
    )


def _looks(runs: list[Run], wanted: list[tuple[Run, str]]) -> list[dict[str, Any]]:
    """Return the look of each line: the colour says which model, the dashes which run.

    Colours are those of the first run; models that only later runs have take what is left.
    """
    names = dict.fromkeys(model for run in runs for model in run.places)
    places = {model: place for place, model in enumerate(names)}
    return [asdict(palette.style(model, places, runs.index(run))) for run, model in wanted]


def _summary(run: Run, best: str) -> dict[str, Any]:
    board = run.leaderboard.set_index("model")
    data = run.provenance.get("data") or {}
    return {
        "run_id": run.run_id,
        "state": run.state,
        "created": run.provenance.get("created_at"),
        "best": best,
        "errors": {m: board.loc[best, m] for m in run.config["metrics"] if m in board},
        "skill": board.loc[best, "skill"] if "skill" in board else None,
        "series": data.get("series") or run.history["unique_id"].nunique(),
        "seconds": board[["train_seconds", "cv_seconds"]].sum().sum(),
        "failed": len(run.failed),
    }


def _settings(runs: list[Run]) -> list[dict[str, Any]]:
    """Return the settings that are not the same in all runs."""
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    rows = []
    for key in keys:
        if key in _NOT_COMPARED:
            continue
        values = [run.config.get(key) for run in runs]
        if key in ("models", "baselines"):
            values = [brief(value) for value in values]
        shown = [text.setting(value) for value in values]
        if len(set(shown)) > 1:
            rows.append({"key": key, "values": shown})
    return rows


def _warnings(runs: list[Run]) -> list[str]:
    """Say where the runs were not measured on the same things."""
    found = []
    tables = {(run.provenance.get("data") or {}).get("frozen_sha256") for run in runs}
    if len(tables) > 1:
        found.append("The runs were made from different data; only common series are compared.")
    windows = {
        tuple(run.config.get(k) for k in ("horizon", "n_windows", "test_size", "step_size", "gap"))
        for run in runs
    }
    if len(windows) > 1:
        found.append(
            "The back-tests differ (horizon, windows, steps or gap): errors of different steps are "
            "compared, and a difference may come from that."
        )
    return found
