"""The pretrained weights of a run: recorded by checksum, located on this machine.

The path in a run's configuration is not used, because a run may come from an untrusted source. When
a run is created from the user's configuration, the folder of its weights is recorded by checksum
next to the runs, in ``<runs>/.weights/``. Weights of imported runs are searched in the folders of
the environment variable ``FORERUN_WEIGHTS``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.base.files import read_mapping, write_json
from forerun.config.models import ModelSpec
from forerun.config.weight_folders import TUNED, checksums, pretrained, refuse_unusable

#: Folder next to the runs; not a valid run id.
FOLDER = ".weights"
#: Environment variable with folders of weights or their parent folders, separated as in PATH.
VARIABLE = "FORERUN_WEIGHTS"


def recorded(settings: Mapping[str, Any]) -> dict[str, list[str]] | None:
    """Return the checksums of the weights of each pretrained model; None without such models.

    Raises
    ------
    UserError
        A folder cannot be used, or its checksums differ from the setting ``pretrained``.
    """
    refuse_unusable(settings)
    specs = pretrained(settings)
    found = {spec.name: checksums(Path(spec.params["weights"])) for spec in specs}
    for name, wanted in (settings.get("pretrained") or {}).items():
        if name in found and found[name] != wanted:
            raise UserError(
                f"weights of {name}: the folder has other checksums than the setting pretrained; "
                "remove the setting, or restore the weights"
            )
    return found or None


def record(runs: Path, settings: Mapping[str, Any]) -> None:
    """Record the folders of the weights of a new run.

    Parameters
    ----------
    settings : completed, with the checksums in ``pretrained``
    """
    for spec in pretrained(settings):
        path = runs / FOLDER / f"{_key(settings['pretrained'][spec.name])}.json"
        folder = str(Path(spec.params["weights"]).absolute())
        others = [one for one in _folders(path) if one != folder]
        path.parent.mkdir(exist_ok=True)
        write_json(path, {"folders": [folder, *others][:20]})


def located(spec: ModelSpec, settings: Mapping[str, Any], runs: Path) -> ModelSpec:
    """Return a run's model with the folder of its weights on this machine.

    Parameters
    ----------
    settings : frozen settings of the run
    runs : folder of the run

    Raises
    ------
    UserError
        The weights are missing or changed.
    """
    if not spec.is_pretrained:
        return spec
    wanted = (settings.get("pretrained") or {}).get(spec.name)
    if not wanted:
        raise UserError(f"the run does not record the weights of {spec.name}; train a new run")
    recorded_in = _folders(runs / FOLDER / f"{_key(wanted)}.json")
    for folder in (*map(Path, recorded_in), *_elsewhere()):
        if folder.is_dir() and checksums(folder) == wanted:
            return replace(spec, params=spec.params | {"weights": str(folder)})
    raise UserError(_missing(spec.name, wanted, recorded_in))


def are_saved(folder: Path) -> bool:
    """Return whether the model's folder contains its weights, because it was fine-tuned."""
    return (folder / TUNED).is_dir()


def _missing(name: str, wanted: list[str], recorded: list[str]) -> str:
    sha256, _, file = wanted[-1].partition("  ")
    state = "are not recorded on this machine"
    if recorded:
        changed = Path(recorded[0]).is_dir()
        state = f"in '{recorded[0]}' {'were changed' if changed else 'are missing'}"
    return (
        f"the weights of {name} {state}: restore {file} with sha256 {sha256[:16]}..., "
        f"or set {VARIABLE} to a folder that contains them"
    )


def _folders(path: Path) -> list[str]:
    folders = read_mapping(path, {"folders": [str]}).get("folders", [])
    return [folder for folder in folders if os.path.isabs(folder)]


def _elsewhere() -> Iterator[Path]:
    for name in os.environ.get(VARIABLE, "").split(os.pathsep):
        if name and Path(name).is_dir():
            yield Path(name)
            yield from sorted(path for path in Path(name).iterdir() if path.is_dir())


def _key(checksums: list[str]) -> str:
    return hashlib.sha256("\n".join(checksums).encode()).hexdigest()


def take(runs: Path, other: Path) -> None:
    """Copy the records of `runs` to the folder of runs `other`."""
    for path in (runs / FOLDER).glob("*.json"):
        (other / FOLDER).mkdir(exist_ok=True)
        write_json(other / FOLDER / path.name, {"folders": _folders(path)})
