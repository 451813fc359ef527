"""A run in a notebook: a small HTML card."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from forerun.base import text
from forerun.evaluation import cautions
from forerun.report import charts

if TYPE_CHECKING:
    from forerun.runs.reader import RunReader

MOST_MODELS = 12
_CELL = "padding:.2em .8em;text-align:right;white-space:nowrap"
_NAME = "padding:.2em .8em;text-align:left;white-space:nowrap"


def card(run: RunReader) -> str:
    """Return a summary of the run and its leaderboard as HTML with inline styles."""
    config = run.config
    created = text.moment(run.provenance.get("created_at"))
    data = run.provenance.get("data") or {}
    facts = [run.state, f"created {created}", f"horizon {config['horizon']}"]
    if data.get("series"):
        facts.append(f"{data['series']:,} series")
    head = f"<p><strong>Run {escape(run.run_id)}</strong>: {escape(', '.join(facts))}</p>"
    if not run.paths.leaderboard.is_file():
        return f"<div>{head}<p>It has no leaderboard yet.</p></div>"
    failed = "".join(
        f"<p>{escape(model)} failed: {escape(reason)}</p>" for model, reason in run.failed.items()
    )
    warnings = "".join(f"<p>Warning: {escape(line)}</p>" for line in cautions.of_run(run.folder))
    return f"<div>{head}{_table(run)}{failed}{warnings}</div>"


def _table(run: RunReader) -> str:
    metrics = run.config["metrics"]
    names = ["Model", *(charts.metric_name(metric) for metric in metrics), "Skill", "Status"]
    head = "".join(
        f'<th scope="col" style="{_CELL if number else _NAME}">{escape(name)}</th>'
        for number, name in enumerate(names)
    )
    rows = []
    for row in run.leaderboard.head(MOST_MODELS).to_dict("records"):
        cells = [text.error(metric, row.get(metric)) for metric in metrics]
        cells += [text.percent(row.get("skill")), escape(str(row["status"]))]
        body = "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
        rows.append(f'<tr><th scope="row" style="{_NAME}">{escape(row["model"])}</th>{body}</tr>')
    more = len(run.leaderboard) - MOST_MODELS
    rest = f"<p>… and {more} more models</p>" if more > 0 else ""
    body = "".join(rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"
