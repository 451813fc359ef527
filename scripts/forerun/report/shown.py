"""Whose forecasts the page of a deployment shows: one line in every chart for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from forerun.config.names import REFERENCE
from forerun.deployments import scores
from forerun.deployments.backfilling import is_trained_for
from forerun.deployments.folder import Deployment, read_journal
from forerun.deployments.runs import InService

#: Most lines.
MOST = 6


@dataclass(frozen=True)
class Shown:
    """A line of the charts: the forecasts of a model of a run.

    Attributes
    ----------
    runs : the run; or those that ``backfill --retrain`` has trained, which are one line together
    """

    model: str
    runs: tuple[str, ...]
    label: str

    @classmethod
    def of(cls, run_id: str, model: str) -> Shown:
        return cls(model, (run_id,), label(run_id, model))

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of this line, in a table with the columns ``run_id`` and ``model``."""
        return table[(table["model"] == self.model) & table["run_id"].isin(self.runs)]


def label(run_id: str, model: str) -> str:
    """Return what a forecast is called on the page."""
    return f"{model} of {run_id}" if run_id else model


def find(deployment: Deployment, table: pd.DataFrame, one: InService) -> list[Shown]:
    """Return the lines: the forecast in service first, then its rivals and the simplest forecast.

    Parameters
    ----------
    table : ``scores.csv``
    one : the champion
    """
    return list(_lines(deployment, table, one))[:MOST]


def _lines(deployment: Deployment, table: pd.DataFrame, one: InService) -> Iterator[Shown]:
    champion = one.line.run_id
    challengers = [line.run_id for line in deployment.challenging()]
    yield Shown.of(champion, one.model)
    for run_id in challengers:
        yield from _best(table, [run_id], one.model)
    runs, dated = map(str, table["run_id"].unique()), table["origin"].dtype.kind == "M"
    trained = [name for name in runs if is_trained_for(deployment, name, dated)]
    trained = [name for name in trained if name not in (champion, *challengers)]
    for found in _best(table, trained, one.model):
        yield Shown(found.model, found.runs, f"{found.model} trained for backfill")
    if REFERENCE in set(table.loc[table["run_id"] == champion, "model"]) - {one.model}:
        yield Shown.of(champion, REFERENCE)
    if scores.ADJUSTED in set(table["model"]):
        yield Shown.of("", scores.ADJUSTED)
    earlier = reversed([line.run_id for line in read_journal(deployment.champions)])
    for run_id in dict.fromkeys(earlier):
        if run_id not in (champion, *challengers):
            yield from _best(table, [run_id], one.model)


def _best(table: pd.DataFrame, runs: Iterable[str], wanted: str) -> Iterator[Shown]:
    """Yield the forecasts of runs with the champion's model if they have it, or their best one."""
    own = table[table["run_id"].isin(list(runs)) & (table["step"] == 0)]
    if len(own):
        errors = own.groupby("model")["mae"].mean()
        model = wanted if wanted in errors else str(errors.idxmin())
        names = tuple(own["run_id"].unique())
        yield Shown(model, names, label(names[0], model))
