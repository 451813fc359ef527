"""Configuration layers of a call: config/config.yaml, files, experiment, options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from forerun.config import schema, settings
from forerun.config.typed import read_settings

#: Base configuration of new runs.
BASE = Path("config/config.yaml")
#: Folder of experiments: configuration files named after their runs.
EXPERIMENTS = Path("config/experiments")


@dataclass
class Layers:
    """Settings of a call in layers; later layers win. Strings are kept as typed.

    Attributes
    ----------
    base : settings of config/config.yaml
    files : configuration files given in the call; later files win
    in_files : the merged settings of `files`
    options : settings given on the command line
    """

    base: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    in_files: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, files: Sequence[str | Path], options: dict[str, Any], with_base: bool = True
    ) -> Self:
        """Read config/config.yaml and `files`."""
        base = read_settings(BASE) if with_base and BASE.is_file() else {}
        in_files: dict[str, Any] = {}
        for file in files:
            in_files |= read_settings(file)
        return cls(base, list(map(str, files)), in_files, options)

    @property
    def all(self) -> dict[str, Any]:
        """Merged settings of all layers except experiments."""
        return {**self.base, **self.in_files, **self.options}

    def named(self, run_id: str | None) -> dict[str, Any]:
        """Return the merged settings that the call adds to config/config.yaml."""
        return {**self.in_files, **_experiment(run_id), **self.options}

    def for_run(self, run_id: str | None) -> dict[str, Any]:
        """Return the merged settings of all layers, including the run's experiment."""
        return {**self.base, **self.named(run_id)}

    def explicit(self, run_id: str | None) -> set[str]:
        """Return the keys that the user has set, even to their default.

        A layer with more than half of all keys, such as a generated configuration file, lists
        defaults: these keys are not meant.
        """
        few = len(schema.properties()) / 2
        layers = [self.base, self.in_files, _experiment(run_id)]
        return {*self.options, *(key for each in layers if len(each) <= few for key in each)}

    def disagreements(self, run_id: str | None) -> list[str]:
        """Return one phrase for each key whose values differ between the experiment and a file."""
        experiment = _experiment(run_id)
        keys = [key for key in experiment if key in self.in_files and key not in self.options]
        differing = settings.disagreements(
            self.base | self.options, self.in_files, experiment, keys
        )
        return [
            f"{key} is {theirs!r} in {EXPERIMENTS}/{run_id}.yaml, {ours!r} in {self._file(key)}"
            for key, ours, theirs in differing
        ]

    def _file(self, key: str) -> str:
        """Return the last file that sets a key."""
        return next(file for file in reversed(self.files) if key in read_settings(file))


def _experiment(run_id: str | None) -> dict[str, Any]:
    path = EXPERIMENTS / f"{run_id}.yaml"
    return read_settings(path) if run_id and path.is_file() else {}
