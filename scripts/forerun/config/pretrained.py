"""Pretrained models: what they need, and the validation of their arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.config import engines, schema

_HUB = re.compile(r"(?:hf://)?[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Published:
    """What a class of pretrained models needs, and what its configuration looks like.

    Attributes
    ----------
    hub : name of the published weights
    key, value : key of ``config.json``, perhaps nested, and its value for this class
    context, horizon : keys of the largest number of past steps, and of steps that can be forecast
    tunes : whether it can be fine-tuned
    """

    hub: str
    key: tuple[str, ...]
    value: str
    context: tuple[str, ...]
    horizon: tuple[str, ...] | None = None
    tunes: bool = False


PUBLISHED = {
    "Chronos2": Published(
        "amazon/chronos-2",
        ("chronos_pipeline_class",),
        "Chronos2Pipeline",
        ("chronos_config", "context_length"),
        tunes=True,
    ),
    "ChronosBolt": Published(
        "amazon/chronos-bolt-base",
        ("chronos_pipeline_class",),
        "ChronosBoltPipeline",
        ("chronos_config", "context_length"),
    ),
    "TimesFM": Published(
        "google/timesfm-2.5-200m-transformers",
        ("model_type",),
        "timesfm2_5",
        ("context_length",),
        ("horizon_length",),
    ),
    "Fracast": Published("ztxtech/fracast-0", ("model", "family"), "fracast", ("model", "W")),
}


def problems(model: str, params: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each invalid argument of a pretrained model."""
    weights, wrong = params.get("weights"), []
    if not isinstance(weights, str) or not weights.strip():
        wrong.append(f"weights must be the folder of {model}'s weights; {fetch(model)}")
    elif not Path(weights).is_dir() and (_HUB.fullmatch(weights) or "://" in weights):
        hub = weights.removeprefix("hf://") if _HUB.fullmatch(weights) else None
        wrong.append(
            f"weights is '{weights}', a name of a hub or an address; nothing is downloaded here: "
            f"give a folder; {fetch(model, hub)}"
        )
    length = params.get("context_length")
    if length is not None and (type(length) is not int or length < 1):
        wrong.append(f"context_length is {schema.show(length)}; it must be an integer of 1 or more")
    return wrong + _tuning_problems(model, params)


def _tuning_problems(model: str, params: Mapping[str, Any]) -> list[str]:
    if not isinstance(params.get("lora", False), bool):
        return [f"lora is {schema.show(params['lora'])}; it must be true or false"]
    tuning = [name for name in ("max_steps", "learning_rate", "lora") if params.get(name)]
    if tuning and not PUBLISHED[model].tunes:
        able = " and ".join(name for name, one in PUBLISHED.items() if one.tunes)
        return [f"{model} cannot be fine-tuned ({tuning[0]}), only {able} can; leave it out"]
    if tuning and "max_steps" not in tuning:
        return [f"{tuning[0]} is for fine-tuning, which needs max_steps"]
    if params.get("lora") and engines.version("peft") is None:
        return ["lora needs the package peft; install it with: pip install peft"]
    return []


def fetch(model: str, hub: str | None = None) -> str:
    """Return the command that fetches the published weights of a model."""
    name = hub or PUBLISHED[model].hub
    folder = name.rpartition("/")[2]
    return f"fetch it with: hf download {name} --local-dir {folder}   and set weights: ./{folder}"
