"""An overview page of all runs: a searchable, sortable table, and the best error over time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from forerun.base import text
from forerun.report import charts
from forerun.report.page import write_page
from forerun.runs.json_files import read_source
from forerun.runs.listing import Row, scan

#: Size of the chart of errors, and maximum number of lines.
WIDTH, HEIGHT, MARGIN, MOST_TRENDS = 600.0, 60.0, 6.0, 12


def write_runs_page(runs: str | Path, path: str | Path) -> Path:
    """Write the overview of the folder `runs`; links are relative to the page."""
    rows, stray = scan(runs)
    path = Path(path)
    start = os.path.relpath(Path(runs).absolute(), path.absolute().parent)
    write_page(
        path,
        "runs.html.j2",
        charts=False,
        rows=[_row(row, start) for row in rows],
        trends=trends(runs, rows),
        stray=stray,
        folder=str(runs),
    )
    return path


def _row(row: Row, start: str) -> dict[str, Any]:
    report = f"{start}/{row.run_id}/report.html" if "report" in row.parts else None
    return {
        "row": row,
        "link": quote(report) if report else None,
        "metric": charts.metric_name(row.metric or ""),
        "moment": text.moment(row.created),
        "models": ", ".join(row.models[:6])
        + (f", … {len(row.models)}" if len(row.models) > 6 else ""),
        "mood": {"complete": "good", "failed": "bad", "partial": "bad", "broken": "bad"}.get(
            row.state, ""
        ),
    }


def trends(runs: str | Path, rows: list[Row]) -> list[dict[str, Any]]:
    """Return the best error over time, for groups of comparable runs.

    Comparable runs have the same data, horizon and metric; the group with the newest run is first.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in reversed(rows):
        if row.error is not None:
            sha256, file = read_source(f"{runs}/{row.run_id}")
            groups.setdefault((sha256, row.horizon, row.metric, file), []).append(row)
    found = [_trend(key, group) for key, group in groups.items() if len(group) > 1]
    return sorted(found, key=lambda trend: trend["newest"], reverse=True)[:MOST_TRENDS]


def _trend(key: tuple[Any, ...], group: list[Row]) -> dict[str, Any]:
    errors = [float(row.error or 0.0) for row in group]
    low, high = min(errors), max(errors)
    step = (WIDTH - 2 * MARGIN) / (len(group) - 1)
    points = []
    best = float("inf")
    for number, (row, error) in enumerate(zip(group, errors, strict=True)):
        best = min(best, error)
        share = (error - low) / (high - low) if high > low else 0.5
        record = (best - low) / (high - low) if high > low else 0.5
        points.append(
            {
                "x": round(MARGIN + number * step, 1),
                "y": round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1),
                "record": round(HEIGHT - MARGIN - record * (HEIGHT - 2 * MARGIN), 1),
                "run_id": row.run_id,
                "error": error,
                "model": row.best,
            }
        )
    _, horizon, metric, file = key
    return {
        "title": f"{file}, horizon {horizon}",
        "metric": charts.metric_name(metric),
        "key": metric,
        "points": points,
        "first": errors[0],
        "last": errors[-1],
        "low": low,
        "champion": group[errors.index(low)],
        "newest": group[-1].created or "",
        "width": WIDTH,
        "height": HEIGHT,
    }
