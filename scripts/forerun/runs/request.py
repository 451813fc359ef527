"""What one call asks for: the settings of the runs that it is about.

The settings of a run are those frozen in its config.yaml. A run that does not exist yet gets the
configuration of this call, with config/experiments/<run_id>.yaml laid over it. Where another
workflow uses the rules as a module, its `config` for the module is all that counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError, check_path
from forerun.base.resources import DATA
from forerun.base.terminal import complain
from forerun.config import catalog, schema, threads
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_recorded
from forerun.config.layers import Layers
from forerun.config.models import ModelSpec, specs
from forerun.config.settings import read_frozen, resolve
from forerun.runs import paths, state
from forerun.runs.paths import RunPaths

_TABLES = ("data_file", "static_file", "futr_file")


@dataclass
class Request:
    """The settings that a call asks for, and those of the runs that exist; each is found once.

    Attributes
    ----------
    folder : where runs are read
    config : the configuration that new runs start from, without experiments
    layers : where its values are from; None where another workflow gives the configuration
    cores : shared by the fits of a run; None where each job has cores of its own
    is_planning : a job takes what was planned: only the plan is checked
    """

    folder: Path
    config: Mapping[str, Any]
    layers: Layers | None = None
    cores: int | None = None
    is_planning: bool = True
    _asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    _settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: By what is asked for: many runs ask for the same.
    _resolved: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, run_id: str) -> RunPaths:
        return RunPaths(self.folder / run_id)

    def default_run(self) -> str:
        """Return the run that is made if none is named: ``run_id``, or a new automatic one."""
        if self.config.get("run_id"):
            return paths.check_run_id(self.config["run_id"])
        return paths.new_run_id(self.folder)

    def asked(self, run_id: str) -> dict[str, Any]:
        """Return what is asked for beyond config/config.yaml: files, experiment, options."""
        if self.layers is None:
            return dict(self.config)
        if run_id not in self._asked:
            for both in self.layers.disagreements(run_id) if self.is_planning else []:
                note = f"run '{run_id}': {both}; the former is taken"
                complain(note, before="forerun: note: ")
            self._asked[run_id] = self.layers.named(run_id)
        return self._asked[run_id]

    def settings(self, run_id: str) -> dict[str, Any]:
        """Return the settings of a run; refuse settings that contradict an existing one."""
        if run_id not in self._settings:
            paths.check_run_id(run_id)
            exists = state.is_frozen(self.folder / run_id)
            self._settings[run_id] = self._frozen(run_id) if exists else self._new(run_id)
        return self._settings[run_id]

    def _new(self, run_id: str) -> dict[str, Any]:
        asked = self.asked(run_id)
        if (key := repr(asked)) not in self._resolved:
            found = resolve({**self.config, **asked})
            found["threads"] = found["threads"] or threads.share(self.cores or 1, found)
            self._resolved[key] = found
        return self._resolved[key] | {"run_id": run_id}

    def _frozen(self, run_id: str) -> dict[str, Any]:
        run = self.run(run_id)
        frozen = read_frozen(run.config)
        if self.is_planning:
            state.refuse_if_damaged(run.folder)
            state.refuse_contradictions(run.folder, frozen, self.asked(run_id))
        return frozen

    def operational(self, run_id: str, key: str) -> Any:
        """Return how this call wants a run carried out: never what the run's own folder says."""
        value = {**self.config, **self.asked(run_id)}.get(key, schema.defaults()[key])
        if (name := f"{key}={value!r}") not in self._resolved:
            self._resolved[name] = resolve({key: value})
        return self._resolved[name][key]

    def models(self, run_id: str) -> dict[str, ModelSpec]:
        """Return the models of a run by name."""
        return {spec.name: spec for spec in specs(self.settings(run_id))}

    def tables(self, run_id: str) -> dict[str, str]:
        """Return the tables that a run is made of, by key; refuse one that is missing."""
        settings = self.settings(run_id)
        found = {"data_file": settings["data_file"] or str(DATA)}
        found |= {key: settings[key] for key in _TABLES[1:] if settings[key]}
        for key, path in found.items():
            check_path(key, path)
            if self.layers is not None and not Path(path).is_file():  # a workflow may make its own
                what = "is a folder" if Path(path).is_dir() else "does not exist"
                raise UserError(f"{key}: '{path}' {what}; give the path of a CSV or Parquet file")
        return found

    def plot_series(self, run_id: str) -> int:
        """Return how many series are drawn: as asked for now, else as when the run was made.

        The schema bounds the number, so a received run can ask for it, and a run that is named
        without its configuration is not drawn again.
        """
        run = self.run(run_id)
        if "plot_series" in self.asked(run_id) or not state.is_frozen(run.folder):
            return int(self.operational(run_id, "plot_series"))
        return int(read_recorded(run.config)["plot_series"])

    def fast_models(self) -> str:
        """Return a pattern of the models that take seconds, however they are called."""
        found = {n for e in ENGINES.values() if e.local for n in catalog.names(e.name)}
        for item in [*self.config.get("baselines", ()), *self.config.get("models", ())]:
            if isinstance(item, dict) and item.get("model") in found:
                found.add(str(item.get("name")))
        return "|".join(map(re.escape, sorted(found)))
