"""Searches of a model's arguments: the items of ``search`` and the models they add to a run.

A search tries arguments from a space in trials, on windows before those of cross-validation. Its
best trials become models of the run, whose items in ``models`` name their search. The arguments
that were found are in ``search/<name>/chosen.json``; the items contain only the given ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from forerun.base.bounded import shaped
from forerun.base.errors import UserError, suggest
from forerun.base.files import read_json
from forerun.config.models import KEYS, ModelSpec

#: Folder of the studies in a run, the result of a study, and the table of its trials.
FOLDER, CHOSEN, TABLE = "search", "chosen.json", "study.csv"
#: Each round of successive halving keeps one of this many trials, with as many times the steps.
RATE = 3
#: Without halving: number of random trials, minimum and number of the rounds that follow them.
RANDOM, SMALLEST, FOLLOWING = 10, 5, 4


@dataclass(frozen=True)
class Study:
    """The search of one model's arguments.

    Attributes
    ----------
    base : the model with the arguments that are not searched; its name is that of the study
    space : values of each argument: a list, or a mapping with low, high, log and step
    trials : number of arguments to try
    halving : whether later rounds train fewer trials with more steps (networks only)
    keep : number of trials that become models
    windows : number of windows on which trials are scored
    time_limit : maximum duration in seconds
    """

    base: ModelSpec
    space: dict[str, Any] = field(default_factory=dict)
    trials: int = 20
    halving: bool = False
    keep: int = 1
    windows: int = 1
    time_limit: float | None = None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Study:
        """Return the search of an item of the frozen configuration."""
        model = {key: item[key] for key in KEYS if key in item}
        own = {key: value for key, value in item.items() if key not in KEYS}
        return cls(ModelSpec(**model, search=item["name"]), **own)

    def as_dict(self) -> dict[str, Any]:
        """Return the item as written to the frozen configuration."""
        item = asdict(self)
        model = {key: value for key, value in self.base.as_dict().items() if key in KEYS}
        return model | {key: value for key, value in item.items() if key != "base"}

    @property
    def name(self) -> str:
        """Name of the study and, with a number, of its models: ``NHITS_search``, ``1``, ``2``."""
        return self.base.name

    @property
    def models(self) -> list[str]:
        """Names of the models that the study adds to the run, best first."""
        return [f"{self.name}{number + 1}" for number in range(self.keep)]

    @property
    def items(self) -> list[dict[str, Any]]:
        """Items of ``models`` for the models of the study."""
        return [self.base.as_dict() | {"name": name} for name in self.models]

    @property
    def rounds(self) -> list[int]:
        """Number of trials of each round."""
        number = min(self.trials, combinations(self.space))
        if self.halving:
            sizes = [int(number)]
            while sizes[-1] // RATE > self.keep:
                sizes.append(sizes[-1] // RATE)
            return sizes
        sizes = [min(int(number), max(RANDOM, self.keep))]
        if math.isinf(combinations(self.space)) or combinations(self.space) > self.trials:
            rest = int(number) - sizes[0]
            size = max(SMALLEST, -(-rest // FOLLOWING))
            sizes += [min(size, rest - start) for start in range(0, rest, size)]
        else:
            sizes = [int(number)]  # all combinations
        return sizes

    def steps(self, settings: Mapping[str, Any], number: int) -> int | None:
        """Return the training steps of round `number`; None if the search does not set them."""
        if not self.halving:
            return None
        most = int(self.base.params.get("max_steps") or settings["max_steps"])
        return max(1, -(-most // RATE ** (len(self.rounds) - 1 - number)))

    def trial(self, found: Mapping[str, Any], steps: int | None) -> ModelSpec:
        """Return the model of a trial."""
        given = {**self.base.params, **found} | ({} if steps is None else {"max_steps": steps})
        return replace(self.base, params=given)


@dataclass(frozen=True)
class Candidate:
    """A trial: its number in the study, its arguments, its round, and its error once scored."""

    trial: int
    params: dict[str, Any]
    round: int = 0
    error: float | None = None


@dataclass(frozen=True)
class Chosen:
    """The result of a search, ``chosen.json``.

    Attributes
    ----------
    trials : trials that became models, best first
    status, reason : whether and why there are too few, as in an outcome
    exists : whether the search has ended
    """

    trials: list[Candidate] = field(default_factory=list)
    status: str = "skipped"
    reason: str = "the search has not ended; rerun the command to resume"
    exists: bool = False


def read_chosen(config: str | Path, study: Study) -> Chosen:
    """Return the result of a search of the run whose ``config.yaml`` is `config`."""
    found = read_json(Path(config).parent / FOLDER / study.name / CHOSEN)
    shape = {"trials": [dict], "status": str, "reason": str}
    record = shaped(found, shape)
    if record.keys() != shape.keys() or record["status"] not in ("ok", "failed", "skipped"):
        return Chosen()
    trials = trials_of(record["trials"], study)
    return Chosen(trials[: study.keep], record["status"], record["reason"], exists=True)


def trials_of(items: Sequence[Any], study: Study) -> list[Candidate]:
    """Return trials from JSON, which may be untrusted, without those with other arguments."""
    shape = {"trial": int, "params": dict, "round": int, "error": float}
    found = [shaped(item, shape) for item in items]
    return [
        Candidate(**{**item, "params": given})
        for item, source in zip(found, items, strict=True)
        if item.keys() >= {"trial", "params"}
        and (given := source["params"]).keys() == study.space.keys()
    ]


def studies(settings: Mapping[str, Any]) -> list[Study]:
    """Return the searches of resolved settings."""
    return [Study.of(item) for item in settings.get("search") or ()]


def study(settings: Mapping[str, Any], name: str) -> Study:
    """Return the search with the given name."""
    by_name = {each.name: each for each in studies(settings)}
    if name not in by_name:
        raise UserError(f"the run has no search '{name}'{suggest(name, by_name)}")
    return by_name[name]


def brief(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one phrase for each search, for display."""
    return [
        f"{item['name']}: {min(item['trials'], combinations(item['space']))} trials of "
        f"{item['model']} over "
        f"{', '.join(item['space'])}, keep {item['keep']}"
        for item in items
    ]


def combinations(space: Mapping[str, Any]) -> float:
    """Return the number of combinations of a space; infinite with a range of numbers."""
    return math.prod(len(v) if isinstance(v, list) else math.inf for v in space.values())


def every(space: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all combinations of a space of lists."""
    return [dict(zip(space, values, strict=True)) for values in product(*space.values())]


def without_found(items: Sequence[Any], searches: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the items of ``models`` without the models of searches, which are added again."""
    names = [search["name"] for search in searches]
    return [
        item
        for item in items
        if not (isinstance(item, Mapping) and item.get("search") in names and "search" in item)
    ]


def is_whole(values: Mapping[str, Any]) -> bool:
    """Return whether a range contains only integers."""
    return all(isinstance(values[k], int) for k in ("low", "high", "step") if k in values)
