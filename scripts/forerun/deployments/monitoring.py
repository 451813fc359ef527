"""Monitoring: scores of a deployment compared with the back-test, and alarms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from forerun.base.errors import UserError, suggest
from forerun.base.text import number
from forerun.deployments import summaries
from forerun.deployments.folder import Deployment
from forerun.deployments.origins import origins
from forerun.deployments.runs import InService, promised

#: Default number of newest live origins that an alarm averages over.
RECENT = 3
#: Name in conditions of the number of changes in the data at the newest origin.
DATA_CHANGES = "data_changes"
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True)
class Condition:
    """A limit of ``monitor --fail-if``, such as ``coverage_90<0.8``."""

    name: str
    sign: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition: a column of ``scores.csv``, a sign (``<``, ``>=``...) and a number."""
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise UserError(
                f"--fail-if: '{text}' is not a condition; use one such as 'coverage_90<0.8' or "
                "'worse_than_promised>0.2'"
            )
        return cls(found[1], found[2], float(found[3]))

    def holds(self, value: float) -> bool:
        """Return whether a value meets the condition; missing values do not."""
        return {
            "<": value < self.limit, "<=": value <= self.limit,
            ">": value > self.limit, ">=": value >= self.limit,
        }[self.sign]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{self.limit:g}"


@dataclass(frozen=True)
class Standing:
    """Accuracy of the champion: means over its newest live origins.

    Attributes
    ----------
    values : every column of ``scores.csv``, and ``worse_than_promised``, the relative excess over
        the error of the back-test (0.25 for errors of 4.0 in the back-test and 5.0 here)
    promised, got : error in the back-test, and over these origins
    origins : number of these origins
    changes : messages about the data at the newest origin
    """

    values: dict[str, float]
    promised: float | None
    got: float | None
    origins: int
    changes: list[str] = field(default_factory=list)


def standing(deployment: Deployment, one: InService, last: int = RECENT) -> Standing:
    """Return the accuracy of the champion on its newest scored origins, live ones if any exist."""
    table = summaries.whole_origins(summaries.by_step(deployment), one.line.run_id, one.model)
    live = table[table["kind"] == "live"]
    rows = (live if len(live) else table).tail(last)
    metric = deployment.settings().metric
    before, written = promised(one, metric), origins(deployment)
    messages = written[-1].messages() if written else []
    if not len(rows):
        return Standing({}, before, None, 0, messages)
    numbers = rows.select_dtypes("number").drop(columns=["step", "origin"], errors="ignore")
    values = {str(name): float(value) for name, value in numbers.mean().items()}
    got = values.get(metric)
    if before and got is not None:
        values["worse_than_promised"] = got / before - 1
    return Standing(values, before, got, len(rows), messages)


def alarms(found: Standing, conditions: Sequence[str]) -> list[str]:
    """Return the conditions that hold, each with the value found.

    Raises
    ------
    UserError
        A condition cannot be parsed, or its column is not in the scores.
    """
    lines = []
    for condition in map(Condition.parse, conditions):
        if condition.name == DATA_CHANGES:
            if condition.holds(len(found.changes)):
                lines.append(f"{condition}: {'; '.join(found.changes) or 'none'}")
            continue
        if not found.values:
            lines.append(f"{condition}: nothing is scored yet")
            continue
        if condition.name not in found.values:
            raise UserError(
                f"--fail-if: there is no '{condition.name}'"
                f"{suggest(condition.name, found.values)}, only {', '.join(found.values)}, "
                f"{DATA_CHANGES}"
            )
        value = found.values[condition.name]
        if condition.holds(value):
            lines.append(f"{condition}: it is {number(value)} over {found.origins} origins")
    return lines
