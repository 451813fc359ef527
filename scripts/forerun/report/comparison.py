"""``comparison.html``: the page of a comparison of runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forerun.base import text
from forerun.base.errors import UserError
from forerun.evaluation.comparison import Compared, Pair, compare
from forerun.evaluation.paired import LEVEL
from forerun.plots import palette
from forerun.plots.names import axis_names
from forerun.report import charts
from forerun.report.pack import Line, pack
from forerun.report.page import write_page
from forerun.runs.reader import RunReader

#: Maximum number of runs on a page, of overlaid forecasts, and of series.
MOST_RUNS, MOST_LINES, MOST_SERIES = 8, 24, 1000


def write_comparison(
    folders: Sequence[str | Path], path: str | Path, compared: Compared | None = None
) -> Path:
    """Write a page that compares two or more runs.

    The charts compare the other runs with the first one; the table has all pairs.

    Parameters
    ----------
    compared : Compared, optional
        Result of :func:`forerun.evaluation.comparison.compare`, which is called by default.

    Raises
    ------
    UserError
        Fewer than two runs, too many, duplicate runs, or a run without results.
    """
    runs = compared.runs if compared else [RunReader.open(folder) for folder in folders]
    names = [run.run_id for run in runs]
    _check_number(names)
    ids = _common(runs)
    found = compared or compare(folders)
    pairs = {metric: found.pairs(metric) for metric in found.metrics}
    drawn = _scatters(found, pairs)
    wanted = _wanted(runs, found)
    lines = [_line(run, model) for run, model in wanted]
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
        runs=[_summary(run, found, number) for number, run in enumerate(runs)],
        metrics=[{"key": m, "name": charts.metric_name(m)} for m in pairs],
        chosen=found.metric,
        rows=[_row(pair) for each in pairs.values() for pair in each],
        scatters=[{"id": chart["id"], "title": chart["title"]} for chart in drawn],
        settings=_settings(found),
        reasons=found.reasons,
        notes=found.notes,
        shown=shown | {"of": len(ids)},
        level=LEVEL,
    )
    return Path(path)


def _check_number(names: Sequence[str]) -> None:
    """Refuse fewer than two runs, too many, and duplicates."""
    if len(names) < 2:
        raise UserError("compare needs two runs or more, such as: forerun compare exp1 exp2")
    if len(names) > MOST_RUNS:
        raise UserError(f"compare takes at most {MOST_RUNS} runs, not {len(names)}")
    if len(set(names)) < len(names):
        raise UserError("compare: the same run is named twice; name different runs")


def _common(runs: Sequence[RunReader]) -> list[str]:
    """Return the series that all runs have, in the order of the first."""
    for run in runs:
        if not run.paths.data.is_file():
            raise UserError(f"run '{run.run_id}' has no data.parquet: its series cannot be drawn")
    each = [[str(name) for name in run.history["unique_id"].unique()] for run in runs]
    shared = set(each[0]).intersection(*each[1:])
    if not shared:
        raise UserError("compare: these runs have no series in common")
    return [name for name in each[0] if name in shared]


def _row(pair: Pair) -> dict[str, Any]:
    first, second = pair.compared.names[pair.first], pair.compared.names[pair.second]
    comparison = pair.comparison
    of_each = comparison.model_first != comparison.model_second
    return {
        "metric": comparison.metric,
        "measure": charts.metric_name(comparison.metric),
        "runs": f"{first} → {second}",
        "models": f"{pair.models} (best of each)" if of_each else pair.models,
        "comparison": comparison,
        "verdict": pair.verdict,
        "real": pair.real,
    }


def _scatters(found: Compared, pairs: dict[str, list[Pair]]) -> list[dict[str, Any]]:
    """Draw the best model of each later run against that of the first one, series by series."""
    drawn = []
    for number, name in enumerate(found.names[1:], start=1):
        tables = {
            metric: pair.series
            for metric, each in pairs.items()
            for pair in each
            if (pair.first, pair.second) == (0, number) and pair.is_of_best
        }
        best = found.best_models[0], found.best_models[number]
        labels = f"{found.names[0]} ({best[0]})", f"{name} ({best[1]})"
        chart = charts.scatter(tables, *labels, number)
        if chart["variants"]:
            drawn.append(chart | {"title": f"{found.names[0]} against {name}"})
    return drawn


def _wanted(runs: list[RunReader], found: Compared) -> list[tuple[RunReader, str]]:
    """Return the models to draw: the best of each run, then the others in turn."""
    wanted = list(zip(runs, found.best_models, strict=True))
    others = [found.models(number) for number in range(len(runs))]
    for rank in range(max(map(len, others))):
        for run, models in zip(runs, others, strict=True):
            if rank < len(models) and (run, models[rank]) not in wanted:
                wanted.append((run, models[rank]))
    return wanted[:MOST_LINES]


def _line(run: RunReader, model: str) -> Line:
    return Line(
        f"{run.run_id} · {model}",
        model,
        functools.partial(run.cv_results_of, model),
        functools.partial(run.predictions_of, model),
    )


def _looks(runs: list[RunReader], wanted: list[tuple[RunReader, str]]) -> list[dict[str, Any]]:
    """Return the style of each line: color stands for the model, dashes for the run.

    Colors are those of the first run; models that only later runs have get the remaining ones.
    """
    names = dict.fromkeys(model for run in runs for model in palette.places_of(run))
    places = {model: place for place, model in enumerate(names)}
    return [asdict(palette.style(model, places, runs.index(run))) for run, model in wanted]


def _summary(run: RunReader, found: Compared, number: int) -> dict[str, Any]:
    board, best = run.leaderboard, found.best_models[number]
    data = run.provenance.get("data") or {}
    return {
        "run_id": run.run_id,
        "state": run.state,
        "created": run.provenance.get("created_at"),
        "best": best,
        "errors": {metric: found.scores[metric][best][number] for metric in found.metrics},
        "skill": found.skill(number),
        "series": data.get("series") or run.history["unique_id"].nunique(),
        "seconds": board[["train_seconds", "cv_seconds"]].sum().sum(),
        "failed": len(run.failed),
    }


def _settings(found: Compared) -> list[dict[str, Any]]:
    """Return the settings that differ between runs."""
    return [
        {"key": key, "values": [text.setting(value) for value in values]}
        for key, values in found.settings.items()
    ]
