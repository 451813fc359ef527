"""Searches of a run: ``search/<study>/`` with the trials of each round, and the result.

``round_<r>.json`` has the arguments of the trials of a round, ``trial_<r>_<place>.json`` and
``.parquet`` the outcome and the forecasts of each, ``study.csv`` all trials with their errors, and
``chosen.json`` the trials that became models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.files import read_json
from forerun.config import search, windows
from forerun.config.models import ModelSpec
from forerun.config.search import Candidate, Study
from forerun.runs.fit import Fit
from forerun.runs.paths import MODEL, RunPaths
from forerun.runs.tables import read_plain

if TYPE_CHECKING:
    import pandas as pd

#: Outputs of the rules of a search.
_OUTPUT = re.compile(rf"({MODEL})/(round|trial)_([0-9]{{1,4}})(?:_([0-9]{{1,4}}))?\.(json|parquet)")


@dataclass(frozen=True)
class Trial(Fit):
    """A trial of the search `model`: the fit of a place in a round."""

    fold: int = 0
    round: int = 0
    place: int = 0

    @property
    def name(self) -> str:
        return f"trial_{self.round}_{self.place}"

    @property
    def words(self) -> str:
        return f"trial {self.place + 1} of round {self.round + 1}"

    @property
    def stage(self) -> str:
        return "run_trial"

    @property
    def outcome_path(self) -> Path:
        return folder(self.run, self.model) / f"{self.name}.json"

    def _mirrored(self, folder: str, ending: str) -> Path:
        name = f"{self.model}_{self.round}_{self.place}{ending}"
        return self.run.folder / folder / self.stage / name

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"trial": [self.round, self.place]}

    def study(self, settings: Mapping[str, Any]) -> Study:
        return search.study(settings, self.model)

    def candidate(self, settings: Mapping[str, Any]) -> Candidate | None:
        """Return the trial with its arguments; None if the round has fewer trials."""
        asked = candidates(self.run, self.study(settings), self.round)
        return asked[self.place] if self.place < len(asked) else None

    def spec(self, settings: Mapping[str, Any]) -> ModelSpec:
        study, candidate = self.study(settings), self.candidate(settings)
        found = candidate.params if candidate else {}
        return study.trial(found, study.steps(settings, self.round))

    def covered(self, settings: dict[str, Any]) -> tuple[int, int]:
        return windows.held_out(settings), self.study(settings).windows


def folder(run: RunPaths, study: str) -> Path:
    """Return the folder of a study."""
    return run.folder / search.FOLDER / study


def round_path(run: RunPaths, study: str, number: int) -> Path:
    """Return the path of the arguments of a round."""
    return folder(run, study) / f"round_{number}.json"


def candidates(run: RunPaths, study: Study, number: int) -> list[Candidate]:
    """Return the trials of a round with their arguments; empty before the round begins."""
    found = read_json(round_path(run, study.name, number))
    return search.trials_of(found if isinstance(found, list) else [], study)


def trials(run: RunPaths, study: Study, before: int | None = None) -> list[Trial]:
    """Return the trials of a study, or those of the rounds before round `before`."""
    sizes = study.rounds[:before]
    return [
        Trial(run, study.name, round=number, place=place)
        for number, size in enumerate(sizes)
        for place in range(size)
    ]


def chosen(run: RunPaths, study: Study) -> search.Chosen:
    """Return the result of a study."""
    return search.read_chosen(run.config, study)


@dataclass(frozen=True)
class Result:
    """A search that has ended, with the table of its trials and those that became models."""

    study: Study
    table: pd.DataFrame
    chosen: search.Chosen


def results(run: RunPaths, settings: Mapping[str, Any]) -> list[Result]:
    """Return the searches of a run that have ended."""
    columns = ("round", "trial", "max_steps", "status", "error", "params")
    paths = [(s, folder(run, s.name) / search.TABLE) for s in search.studies(settings)]
    return [
        Result(study, read_plain(path, columns), chosen(run, study))
        for study, path in paths
        if path.is_file()
    ]


def closed_outputs(run: RunPaths, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the outputs of a run's searches that are not made again, relative to the run.

    A trial that has an outcome is not run again, even if it failed. If a search ended with too few
    trials, only the completed trials of its first round are kept.
    """
    for study in search.studies(settings):
        found = chosen(run, study)
        again = found.exists and found.status != "ok"
        if found.exists and not again:
            yield from (
                _relative(run, folder(run, study.name) / n) for n in (search.CHOSEN, search.TABLE)
            )
        for number in range(1 if again else len(study.rounds)):
            if candidates(run, study, number):
                yield _relative(run, round_path(run, study.name, number))
        for trial in trials(run, study, before=1 if again else None):
            outcome = trial.outcome()
            if outcome and trial.has_product() and (outcome.is_ok or not again):
                yield from (_relative(run, p) for p in (trial.outcome_path, trial.product_path))


def outdated(run: RunPaths, settings: Mapping[str, Any]) -> list[str]:
    """Return the outputs of searches to make again if they exist, relative to the run."""
    paths: list[Path] = []
    for study in search.studies(settings):
        found = chosen(run, study)
        if found.exists and found.status != "ok":
            paths += [t.outcome_path for t in trials(run, study) if t.round or t.needs_retry()]
            paths += [round_path(run, study.name, n) for n in range(1, len(study.rounds))]
            paths.append(folder(run, study.name) / search.CHOSEN)
    return [_relative(run, path) for path in paths]


def _relative(run: RunPaths, path: Path) -> str:
    return path.relative_to(run.folder).as_posix()


def is_output(part: str) -> bool:
    """Return whether a path inside a run is a file of a search."""
    prefix, _, rest = part.partition("/")
    tables = rf"{MODEL}/(?:{re.escape(search.CHOSEN)}|{re.escape(search.TABLE)})"
    match = _OUTPUT.fullmatch(rest) or re.fullmatch(tables, rest)
    return prefix == search.FOLDER and match is not None
