"""Presets: values of ordinary keys, filled in when a run is created.

A preset sets only keys that the configuration leaves at their defaults. The frozen ``config.yaml``
contains the values, so later versions may change the presets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forerun.base.errors import UserError
from forerun.config import catalog, schema, windows
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
#: Assumed seconds of a network's training step without earlier fits; share of the time limit for
#: networks.
STEP_SECONDS, SHARE = 0.05, 0.5
#: Minimum number of training steps under a time limit; networks that cannot have them are dropped.
FEWEST_STEPS = 50


def applied(
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    step_seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return settings with the values of their preset in place of defaults.

    With a ``time_limit`` networks get as many steps as fit into :data:`SHARE` of it, one network
    after the other, each fitted once to all data and once for each fold. If these are fewer than
    :data:`FEWEST_STEPS`, the last networks are left out until the others can have them.

    Parameters
    ----------
    step_seconds : seconds of a training step of each network, from earlier fits; by default, and
        for other networks, :data:`STEP_SECONDS`
    """
    name = settings.get("preset")
    if not isinstance(name, str) or name not in PRESETS:
        return dict(settings)
    values = {key: value for key, value in PRESETS[name].items() if settings[key] == defaults[key]}
    limit = settings.get("time_limit")
    if isinstance(limit, (int, float)) and "max_steps" in values:
        own = values.get("models", PRESETS[name]["models"])
        steps, kept = _affordable(own, limit / _fits(settings), step_seconds or {})
        values["max_steps"] = max(FEWEST_STEPS, min(values["max_steps"], steps))
        if "models" in values:
            values["models"] = kept
    return {**settings, **values}


def _affordable(
    models: Sequence[str], seconds: float, step_seconds: Mapping[str, float]
) -> tuple[int, list[str]]:
    """Return the steps that networks can have in `seconds` for a fit of each, and which of them.

    All networks have the same number of steps, at least :data:`FEWEST_STEPS`.
    """
    networks = [name for name in models if name in catalog.names("neuralforecast")]
    steps = 0
    while networks:
        step = sum(step_seconds.get(name, STEP_SECONDS) for name in networks)
        steps = round(SHARE * seconds / step)
        if steps >= FEWEST_STEPS:
            break
        networks.pop()
    others = catalog.names("neuralforecast")
    return steps, [name for name in models if name in networks or name not in others]


def _fits(settings: Mapping[str, Any]) -> int:
    """Return the number of fits of each network: the final one and those of the folds."""
    try:
        seeds = settings["seeds"] if isinstance(settings["seeds"], int) else 1
        return max(1, seeds) * (1 + len(windows.folds(dict(settings))))
    except (UserError, TypeError, ValueError, ArithmeticError):
        return 2  # invalid settings, which are refused later


def unset(asked: Mapping[str, Any], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the asked settings without defaults that the preset of a run has replaced."""
    name, defaults = asked.get("preset"), schema.defaults()
    if name is None or name != frozen.get("preset") or name not in PRESETS:
        return dict(asked)
    replaced = [key for key in PRESETS[name] if key in asked and asked[key] == defaults[key]]
    return {key: value for key, value in asked.items() if key not in replaced}


def notes(settings: Mapping[str, Any], is_measured: bool) -> list[str]:
    """Return what a preset has chosen under a time limit.

    Parameters
    ----------
    settings : resolved settings of a new run
    is_measured : whether earlier fits of networks were measured
    """
    name, limit = settings.get("preset"), settings.get("time_limit")
    if name not in PRESETS or limit is None or "max_steps" not in PRESETS[name]:
        return []
    have = {item["name"] for item in settings["models"]}
    wanted = PRESETS[name]["models"]
    dropped = [one for one in wanted if one not in have] if have <= {*wanted} else []
    basis = "earlier fits" if is_measured else f"an assumed {STEP_SECONDS:g} s per step"
    left = f", without {', '.join(dropped)}" if dropped else ""
    return [
        f"preset {name} within time_limit {limit:g} s: max_steps {settings['max_steps']}{left} "
        f"(by {basis})"
    ]
