"""Presets: values of ordinary keys, filled in when a run is created.

A preset sets only keys that the configuration leaves at their defaults. The frozen ``config.yaml``
contains the values, so later versions may change the presets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forerun.config import catalog
from forerun.config.names import REFERENCE

#: The values of each preset; other keys keep their defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "models": ["LightGBM"],
        "baselines": [REFERENCE, "DynamicOptimizedTheta"],
    },
    "good": {
        "models": ["LightGBM", "NHITS"],
        "baselines": [REFERENCE, "DynamicOptimizedTheta", "AutoETS"],
        "max_steps": 300,
        "windows_batch_size": 128,
    },
    "best": {
        "models": ["LightGBM", "NHITS", "NBEATS", "TiDE"],
        "baselines": [REFERENCE, "DynamicOptimizedTheta", "AutoETS", "AutoARIMA"],
        "max_steps": 1500,
        "windows_batch_size": 128,
    },
}
#: Assumed seconds of a network's training step; share of the time limit for networks.
STEP_SECONDS, SHARE = 0.05, 0.5
#: Minimum number of training steps under a time limit.
FEWEST_STEPS = 50


def applied(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the values of their preset in place of defaults.

    With a ``time_limit`` networks get as many steps as fit into :data:`SHARE` of it, one network
    after the other, each fitted once to all data and once for the windows.
    """
    name = settings.get("preset")
    if not isinstance(name, str) or name not in PRESETS:
        return dict(settings)
    values = {key: value for key, value in PRESETS[name].items() if settings[key] == defaults[key]}
    limit = settings.get("time_limit")
    if isinstance(limit, (int, float)) and "max_steps" in values:
        networks = set(PRESETS[name]["models"]) & set(catalog.names("neuralforecast"))
        affordable = round(SHARE * limit / (2 * max(1, len(networks)) * STEP_SECONDS))
        values["max_steps"] = max(FEWEST_STEPS, min(values["max_steps"], affordable))
    return {**settings, **values}
