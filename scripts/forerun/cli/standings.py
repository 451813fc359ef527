"""How the models of a run compare before all of them are completed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.files import modified_at
from forerun.config.frozen import read_frozen
from forerun.jobs import helper
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths
from forerun.runs.progress import OK, FitState


class Standings:
    """The errors of the models, as soon as their folds are completed.

    They are computed from the folds (:mod:`forerun.jobs.preview`) until ``status/<model>.json``
    exists, which waits for the final fit.

    Attributes
    ----------
    settings : of the run; None until its configuration is frozen
    metric : what the run is ranked by
    errors : by model, as text for people
    """

    def __init__(self, folder: str | Path, since: float = 0.0) -> None:
        self.run, self.since = RunPaths(Path(folder)), since
        self.settings: dict[str, Any] | None = None
        self.metric = ""
        self.models: list[str] = []
        self.errors: dict[str, str] = {}
        self._values: dict[str, float] = {}
        self._asked: set[str] = set()

    def news(self, states: Iterable[FitState] = ()) -> Iterator[str]:
        """Look again; yield a line for each model that has an error now.

        Parameters
        ----------
        states : states of the fits, to look at folds as well
        """
        if self.settings is None and not self._begin():
            return
        folds: dict[str, list[FitState]] = {}
        for state in states:
            if state.fit.stage == "cross_validate":
                folds.setdefault(state.fit.model, []).append(state)
        for model in self.models:
            if model in self.errors:
                continue
            status, ended = self._status(model, folds.get(model, []))
            value = status.scores.get(self.metric) if status and status.is_ok else None
            if value is None:
                continue
            self._values[model] = value
            self.errors[model] = text.error(self.metric, value).replace(text.MINUS, "-")
            if ended >= self.since:
                yield self._line(model) + (f"; {status.note}" if status and status.note else "")

    def leaderboard(self) -> list[dict[str, str]] | None:
        """Return the rows of the leaderboard before the final fits; None if not possible."""
        return self._ask("leaderboard")

    def _status(self, model: str, folds: list[FitState]) -> tuple[ModelStatus | None, float]:
        """Return the status of a model, and when the last file that it depends on was written."""
        path = self.run.status(model)
        if path.is_file():
            return ModelStatus.read(path), modified_at(path)
        if not folds or model in self._asked or any(each.state != OK for each in folds):
            return None, 0.0
        self._asked.add(model)
        ended = max(modified_at(each.fit.outcome_path) for each in folds)
        return ModelStatus.of(self._ask("status", model=model)), ended

    def _ask(self, what: str, **about: str) -> Any:
        return helper.ask(f"forerun.jobs.preview:{what}", {"folder": str(self.run.folder), **about})

    def _begin(self) -> bool:
        try:
            settings = read_frozen(self.run.config)
        except UserError:
            return False
        self.settings, self.metric = settings, str(settings["sort_metric"])
        self.models = [item["name"] for item in [*settings["baselines"], *settings["models"]]]
        return True

    def _line(self, model: str) -> str:
        better = sum(value < self._values[model] for value in self._values.values())
        name = text.metric(self.metric)
        place = f"{better + 1} of {len(self._values)} so far"
        return f"{model}: {name} {self.errors[model]} (rank {place})"
