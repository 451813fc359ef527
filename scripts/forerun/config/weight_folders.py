"""The folders of pretrained weights: which are used, and whether they are valid.

Nothing is downloaded: ``weights`` is a folder with ``config.json`` and safetensors. Its files are
identified by their sha256, which a run records (the key ``pretrained``). The path is not used
later on; :mod:`forerun.forecasting.weights` finds the folder of a run's weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.base.files import read_mapping, sha256
from forerun.config import schema
from forerun.config.models import ModelSpec, specs
from forerun.config.pretrained import PUBLISHED, fetch
from forerun.config.windows import reach

#: The note of the leaderboard: the weights were trained on public data, perhaps on these.
MAY_HAVE_SEEN = "may have seen these data"
#: Files that are used: the configuration, the weights, and the index of weights in several files.
CONFIG, INDEX = "config.json", "model.safetensors.index.json"
#: Configuration of weights that are a difference to those of another model.
ADAPTER = "adapter_config.json"
#: Folder with fine-tuned weights in the folder of a model.
TUNED = "weights"
#: Files of formats that can execute code.
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5")


def pretrained(settings: Mapping[str, Any]) -> list[ModelSpec]:
    """Return the pretrained models of a run."""
    return [spec for spec in specs(settings) if spec.is_pretrained]


def note(spec: ModelSpec) -> str | None:
    """Return the note of the leaderboard on a model; None if it is not pretrained."""
    if not spec.is_pretrained:
        return None
    steps = spec.params.get("max_steps")
    how = f"fine-tuned for {steps} steps" if steps else "zero-shot"
    return f"{how}; {MAY_HAVE_SEEN}"


def files(folder: Path) -> list[Path]:
    """Return the files of a model in a folder: configuration and weights."""
    named = [folder / CONFIG, folder / INDEX, *sorted(folder.glob("*.safetensors"))]
    return [path for path in named if path.is_file()]


def refuse_unusable(settings: Mapping[str, Any]) -> None:
    """Refuse folders that do not hold the weights of their model, before anything starts.

    Raises
    ------
    UserError
        Names the model, the folder, and what is wrong with it.
    """
    for spec in pretrained(settings):
        folder = Path(spec.params["weights"])
        if wrong := _wrong(spec, folder, reach(dict(settings))):
            raise UserError(f"weights of {spec.name}: '{folder}' {wrong}")


def _wrong(spec: ModelSpec, folder: Path, steps: int) -> str:
    """Return what is wrong with a folder; empty if it can be used."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        return f"{what}; {fetch(spec.model)}"
    if not (folder / CONFIG).is_file():
        return f"has no {CONFIG}; {fetch(spec.model)}"
    if not any(folder.glob("*.safetensors")):
        pickles = [path.name for pattern in PICKLES for path in folder.glob(pattern)]
        if pickles:
            return f"has only {pickles[0]}, which can execute code; give weights in safetensors"
        return f"has no *.safetensors; {fetch(spec.model)}"
    if (folder / ADAPTER).exists():
        return "is an adapter (LoRA) without its model; merge both and save the model"
    return _wrong_config(spec, read_mapping(folder / CONFIG), steps)


def _wrong_config(spec: ModelSpec, config: dict[str, Any], steps: int) -> str:
    published = PUBLISHED[spec.model]
    found = _at(config, published.key)
    if found != published.value:
        return f"does not hold a {spec.model}: {'.'.join(published.key)} is {schema.show(found)}"
    most, asked = _at(config, published.context), spec.params.get("context_length")
    if asked and isinstance(most, int) and asked > most:
        return f"takes at most {most} past steps; context_length is {asked}"
    furthest = _at(config, published.horizon) if published.horizon else None
    if isinstance(furthest, int) and steps > furthest:
        return f"forecasts at most {furthest} steps; horizon and gap are {steps}"
    return ""


def _at(config: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, Mapping) else None
    return config


def checksums(folder: Path) -> list[str]:
    """Return the sha256 and the name of each file of a model, as ``sha256sum`` prints them."""
    return [f"{_sha256(str(path), *_stamp(path))}  {path.name}" for path in files(folder)]


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


@cache
def _sha256(path: str, size: int, changed: int) -> str:
    return sha256(path)
