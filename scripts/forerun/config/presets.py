"""Presets: values of ordinary keys, filled in when a run is created.

A preset sets only keys that the configuration leaves at their defaults. The frozen ``config.yaml``
contains the values, so later versions may change the presets. docs/models.md has the rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from forerun.base.errors import UserError
from forerun.config import catalog, schema, windows
from forerun.config.names import REFERENCE

#: The values of each preset; other keys keep their defaults. A time limit only lowers them.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "models": ["LightGBM"],
        "baselines": [REFERENCE, "DynamicOptimizedTheta"],
        "n_windows": 2,
    },
    "good": {
        "models": ["LightGBM", "NHITS"],
        "baselines": [REFERENCE, "DynamicOptimizedTheta", "AutoETS"],
        "n_windows": 3,
        "max_steps": 300,
        "windows_batch_size": 128,
    },
    "best": {
        "models": ["LightGBM", "NHITS", "NBEATS", "TiDE"],
        "baselines": [REFERENCE, "DynamicOptimizedTheta", "AutoETS", "AutoARIMA"],
        "n_windows": 3,
        "refit": True,
        "max_steps": 1500,
        "seeds": 3,
        "windows_batch_size": 128,
    },
}
#: Keys that a time limit may lower.
CHOSEN = frozenset({"models", "baselines", "n_windows", "refit", "seeds", "max_steps"})
#: Assumed seconds of a network's training step without earlier fits; share of the time limit for
#: networks, the rest is for other models.
STEP_SECONDS, SHARE = 0.05, 0.5
#: Steps below which several seeds and refits are given up; minimum number of steps, networks that
#: cannot have them are dropped.
ENOUGH_STEPS, FEWEST_STEPS = 300, 50
#: Minimum number of windows: a model is chosen for one by its errors in the others.
FEWEST_WINDOWS = 2
_MODELS = ("models", "baselines")
#: Keys of a model in resolved settings, of which a configuration gives some.
_RESOLVED = {"name", "engine", "model", "params", "exogenous"}


@dataclass(frozen=True)
class Timings:
    """Times of earlier fits.

    Attributes
    ----------
    steps : seconds of a training step of each network
    fits : seconds of a final fit of other models on the same data file
    """

    steps: Mapping[str, float] = field(default_factory=dict)
    fits: Mapping[str, float] = field(default_factory=dict)


def chosen(
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    timings: Timings | None = None,
    explicit: Collection[str] = (),
) -> dict[str, Any]:
    """Return the keys that the preset of `settings` sets, with their values.

    A ``time_limit`` lowers the values. First, the times of models other than networks in earlier
    fits on the same data decide on the windows, and on the last baselines. Then networks get
    :data:`SHARE` of the limit, one fit after the other: refits, seeds, steps and the last networks
    are given up in this order until the rest fits.

    Parameters
    ----------
    settings : the configuration with defaults
    explicit : keys that are kept even if they have their default
    """
    name = settings.get("preset")
    if not isinstance(name, str) or name not in PRESETS or _are_resolved(settings):
        return {}
    own = _open(PRESETS[name], settings, defaults, explicit)
    found = {**settings, **{key: PRESETS[name][key] for key in own}}
    limit, known = settings.get("time_limit"), timings or Timings()
    if isinstance(limit, (int, float)) and not isinstance(limit, bool):
        with suppress(UserError, TypeError, ValueError, ArithmeticError):  # refused later
            _limit_others(found, own, (1 - SHARE) * limit, known.fits)
            _limit_networks(found, own, SHARE * limit, known.steps)
    return {key: found[key] for key in own}


def _open(
    preset: Mapping[str, Any],
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    explicit: Collection[str],
) -> list[str]:
    """Return the keys that a preset sets."""
    keys = [key for key in preset if key not in explicit and settings[key] == defaults[key]]
    return [key for key in keys if key != "n_windows" or settings["test_size"] is None]


def _are_resolved(settings: Mapping[str, Any]) -> bool:
    """Return whether a preset was applied before: settings of a run, or a copy of them."""
    lists = [settings[key] for key in _MODELS if isinstance(settings[key], list)]
    items = [item for each in lists for item in each]
    return all(isinstance(item, Mapping) and item.keys() >= _RESOLVED for item in items)


def _limit_others(
    found: dict[str, Any], open_keys: Collection[str], seconds: float, fits: Mapping[str, float]
) -> None:
    """Lower the number of windows, then drop the last baselines, until their fits take `seconds`.

    Only models with measured fits count: a final one, and one for each window.
    """

    def needed() -> float:
        names = [n for key in _MODELS for n in found[key] if isinstance(n, str)]
        return sum(fits.get(one, 0.0) for one in names) * (1 + windows.n_windows(found))

    if "n_windows" in open_keys:
        while found["n_windows"] > FEWEST_WINDOWS and needed() > seconds:
            found["n_windows"] -= 1
    if "baselines" in open_keys:
        while len(found["baselines"]) > 1 and needed() > seconds:
            found["baselines"] = found["baselines"][:-1]


def _limit_networks(
    found: dict[str, Any], open_keys: Collection[str], seconds: float, steps: Mapping[str, float]
) -> None:
    """Lower refits, seeds, steps and the number of networks until their fits take `seconds`."""
    every = catalog.names("neuralforecast")

    def affordable() -> int:
        """Return the steps that all networks can have."""
        names = [name for name in _names(found["models"]) if name in every]
        step = sum(steps.get(name, STEP_SECONDS) for name in names)
        fits = max(1, int(found["seeds"])) * (1 + len(windows.folds(found)))
        return round(seconds / fits / step) if step else wanted

    wanted = found["max_steps"] or ENOUGH_STEPS
    enough = min(ENOUGH_STEPS, wanted)
    if "refit" in open_keys and affordable() < enough:
        found["refit"] = False
    while "seeds" in open_keys and found["seeds"] > 1 and affordable() < enough:
        found["seeds"] -= 1
    while "models" in open_keys and affordable() < min(FEWEST_STEPS, wanted):
        last = next(name for name in reversed(found["models"]) if name in every)
        found["models"] = [name for name in found["models"] if name != last]
    if "max_steps" in open_keys:
        found["max_steps"] = max(FEWEST_STEPS, min(wanted, affordable()))


def _names(models: Sequence[Any]) -> list[str]:
    """Return the classes of models in a configuration."""
    return [
        str(item.get("model") or item.get("name")) if isinstance(item, Mapping) else str(item)
        for item in models
    ]


def notes(settings: Mapping[str, Any], found: Mapping[str, Any], timings: Timings) -> list[str]:
    """Return what a preset has chosen under a time limit, and which of its keys it has not set.

    Parameters
    ----------
    settings : the configuration with defaults
    found : the keys that the preset sets; :func:`chosen`
    """
    name, limit = settings.get("preset"), settings.get("time_limit")
    if not isinstance(name, str) or name not in PRESETS or _are_resolved(settings):
        return []
    preset, lines = PRESETS[name], []
    lowered = [key for key in found if key in CHOSEN and key not in _MODELS]
    if limit is not None and lowered:
        left = [n for k in _MODELS if k in found for n in preset[k] if n not in found[k]]
        words = [f"{key} {schema.show(found[key])}" for key in lowered]
        words += [f"without {', '.join(left)}"] if left else []
        basis = "earlier fits" if timings.steps else f"an assumed {STEP_SECONDS:g} s per step"
        basis = basis if "max_steps" in found else "earlier fits" if timings.fits else ""
        lines.append(
            f"preset {name} within time_limit {limit:g} s: {', '.join(words)}"
            + (f" (by {basis})" if basis else "")
        )
    if kept := [k for k in preset if k not in found and settings[k] != preset[k]]:
        lines.append(f"preset {name}: {', '.join(kept)} as configured, not those of the preset")
    return lines


def unset(
    asked: Mapping[str, Any], frozen: Mapping[str, Any], explicit: Collection[str] = ()
) -> dict[str, Any]:
    """Return the asked settings without defaults that the preset of a run has replaced.

    Parameters
    ----------
    explicit : keys that the preset did not replace
    """
    name, defaults = asked.get("preset"), schema.defaults()
    if name is None or name != frozen.get("preset") or name not in PRESETS:
        return dict(asked)
    replaced = _open(PRESETS[name], {**defaults, **asked}, defaults, explicit)
    return {key: value for key, value in asked.items() if key not in replaced}
