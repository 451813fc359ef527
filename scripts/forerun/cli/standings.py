"""How the models of a run compare before all of them are done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from forerun.base import text
from forerun.base.errors import UserError
from forerun.base.files import modified_at
from forerun.config.frozen import read_frozen
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths


class Standings:
    """The errors of the models that are done, from ``status/<model>.json``.

    Attributes
    ----------
    metric : what the run is ranked by; empty until its configuration is frozen
    errors : by model, as text for people
    """

    def __init__(self, folder: str | Path, since: float = 0.0) -> None:
        self.run, self.since = RunPaths(Path(folder)), since
        self.metric = ""
        self.models: list[str] = []
        self.errors: dict[str, str] = {}
        self._values: dict[str, float] = {}

    def news(self) -> Iterator[str]:
        """Look again; yield a line for each model that has an error now."""
        if not self.metric and not self._begin():
            return
        for model in self.models:
            path = self.run.status(model)
            if model in self.errors or not path.is_file():
                continue
            status = ModelStatus.read(path)
            value = status.scores.get(self.metric) if status and status.is_ok else None
            if value is None:
                continue
            self._values[model] = value
            self.errors[model] = text.error(self.metric, value).replace(text.MINUS, "-")
            if modified_at(path) >= self.since:
                yield self._line(model) + (f"; {status.note}" if status and status.note else "")

    def _begin(self) -> bool:
        try:
            settings = read_frozen(self.run.config)
        except UserError:
            return False
        self.metric = str(settings["sort_metric"])
        self.models = [item["name"] for item in [*settings["baselines"], *settings["models"]]]
        return True

    def _line(self, model: str) -> str:
        better = sum(value < self._values[model] for value in self._values.values())
        name = text.metric(self.metric)
        place = f"{better + 1} of {len(self._values)} so far"
        return f"{model}: {name} {self.errors[model]} (rank {place})"
