"""The settings of the runs of one call.

The settings of an existing run are frozen in its config.yaml. A new run gets the configuration of
the call, merged with config/experiments/<run_id>.yaml. If another workflow uses the rules as a
module, only its `config` for the module is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError, check_path
from forerun.base.resources import DATA
from forerun.base.terminal import echo_error
from forerun.config import catalog, schema, threads
from forerun.config.engines import ENGINES
from forerun.config.frozen import read_recorded
from forerun.config.layers import Layers
from forerun.config.models import ModelSpec, specs
from forerun.config.presets import CHOSEN, Timings
from forerun.config.settings import preset_choice, read_frozen, resolve
from forerun.config.weight_folders import refuse_unusable
from forerun.runs import paths, state
from forerun.runs.paths import RunPaths

#: Settings with the path of a further table.
MORE_TABLES = ("static_file", "futr_file", "weights_file")


def source_tables(settings: Mapping[str, Any], must_exist: bool = True) -> dict[str, str]:
    """Return the paths of the source tables in `settings`, by key; refuse missing files."""
    tables = {"data_file": settings["data_file"] or str(DATA)}
    tables |= {key: settings[key] for key in MORE_TABLES if settings[key]}
    for key, path in tables.items():
        check_path(key, path)
        if must_exist and not Path(path).is_file():
            what = "is a folder" if Path(path).is_dir() else "does not exist"
            raise UserError(f"{key}: '{path}' {what}; give the path of a CSV or Parquet file")
    return tables


def check_own_metrics(settings: Mapping[str, Any]) -> None:
    """Load and try the functions of own metrics; see :mod:`forerun.runs.metric_functions`."""
    if settings["metric_functions"]:
        from forerun.runs import metric_functions

        metric_functions.check(settings)


def check_frozen_metrics(run: Path, frozen: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse own metrics of an existing run that are not trusted or differ from those asked."""
    if frozen["metric_functions"]:
        from forerun.runs import metric_functions

        metric_functions.refuse_untrusted(run, frozen)
        metric_functions.refuse_changed(run, frozen, asked)


@dataclass
class Request:
    """Requested settings of a call and settings of its runs, cached.

    Attributes
    ----------
    folder : folder of runs
    config : configuration of new runs, without experiments
    layers : origin of the configuration; None if another workflow provides it
    cores : cores shared by the fits of a run; None if each job has separate cores
    is_planning : whether settings are checked; jobs use the settings of the plan
    timings : returns the times of earlier fits, given the data file of the run
    """

    folder: Path
    config: Mapping[str, Any]
    layers: Layers | None = None
    cores: int | None = None
    is_planning: bool = True
    timings: Callable[[str | None], Timings] | None = None
    _asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    _settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    _models: dict[str, dict[str, ModelSpec]] = field(default_factory=dict)
    #: Resolved settings by requested settings, which many runs share.
    _resolved: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, run_id: str) -> RunPaths:
        return RunPaths(self.folder / run_id)

    def default_run(self) -> str:
        """Return the id of the run if none is named: ``run_id``, or a new automatic id."""
        if self.config.get("run_id"):
            return paths.check_run_id(self.config["run_id"])
        return paths.new_run_id(self.folder)

    def asked(self, run_id: str) -> dict[str, Any]:
        """Return the settings requested beyond config/config.yaml: files, experiment, options."""
        if self.layers is None:
            return dict(self.config)
        if run_id not in self._asked:
            for both in self.layers.disagreements(run_id) if self.is_planning else []:
                note = f"run '{run_id}': {both}; the former is used"
                echo_error(note, before="forerun: note: ")
            self._asked[run_id] = self.layers.named(run_id)
        return self._asked[run_id]

    def explicit(self, run_id: str) -> set[str]:
        """Return the keys that were set for a run, even to their default."""
        return self.layers.explicit(run_id) if self.layers else set()

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
            given = {**self.config, **asked}
            explicit = self.explicit(run_id)
            if self.timings and given.get("preset") and given.get("time_limit"):
                found, notes = preset_choice(given, self.timings(given.get("data_file")), explicit)
                for note in notes if self.is_planning and found.keys() & CHOSEN else []:
                    echo_error(f"run '{run_id}': {note}", before="forerun: note: ")
                given |= found
                explicit |= found.keys()
            settings = resolve(given, explicit=explicit)
            if self.is_planning:
                refuse_unusable(settings)
                check_own_metrics(settings)
            settings["threads"] = settings["threads"] or threads.share(self.cores or 1, settings)
            self._resolved[key] = settings
        return self._resolved[key] | {"run_id": run_id}

    def _frozen(self, run_id: str) -> dict[str, Any]:
        run = self.run(run_id)
        frozen = read_frozen(run.config)
        if self.is_planning:
            state.refuse_if_damaged(run.folder)
            asked, explicit = self.asked(run_id), self.explicit(run_id)
            state.refuse_contradictions(run.folder, frozen, asked, explicit)
            check_frozen_metrics(run.folder, frozen, self.asked(run_id))
        return frozen

    def operational(self, run_id: str, key: str) -> Any:
        """Return an operational setting of this call; the run's own configuration is ignored."""
        layers = (self.asked(run_id), self.config)
        value = next((each[key] for each in layers if key in each), schema.default(key))
        if (name := f"{key}={value!r}") not in self._resolved:
            self._resolved[name] = resolve({key: value})
        return self._resolved[name][key]

    def models(self, run_id: str) -> dict[str, ModelSpec]:
        """Return the models of a run by name."""
        if run_id not in self._models:
            self._models[run_id] = {spec.name: spec for spec in specs(self.settings(run_id))}
        return self._models[run_id]

    def tables(self, run_id: str) -> dict[str, str]:
        """Return the source tables of a run, by key; refuse missing ones."""
        # If another workflow uses the rules, it may also make the tables.
        return source_tables(self.settings(run_id), must_exist=self.layers is not None)

    def plot_setting(self, run_id: str, key: str) -> Any:
        """Return a setting of plots: of this call, otherwise of the run's configuration.

        The value of an untrusted run is safe within the schema's bounds; and plots of a run are not
        made again if it is named without its configuration.
        """
        run = self.run(run_id)
        if key in self.asked(run_id) or not state.is_frozen(run.folder):
            return self.operational(run_id, key)
        value = read_recorded(run.config)[key]
        return schema.default(key) if schema.problems({key: value}) else value

    def fast_models(self) -> str:
        """Return a regular expression for the names of models that train within seconds."""
        fast = {n for e in ENGINES.values() if e.local for n in catalog.names(e.name)}
        for item in [*self.config.get("baselines", ()), *self.config.get("models", ())]:
            if isinstance(item, dict) and item.get("model") in fast:
                fast.add(str(item.get("name")))
        return "|".join(map(re.escape, sorted(fast)))
