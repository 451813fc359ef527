"""Another class for a model where the data have no season: the key ``without_season`` of an item.

``{name: Classic, model: AutoETS, without_season: {model: AutoARIMA}}`` is AutoARIMA for yearly data
and AutoETS for all others, under the same name. Both are models of one engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config import catalog, params, schema
from forerun.config.engines import ENGINES

KEY = "without_season"
#: Keys of the mapping.
KEYS = ("model", "params")


def expanded(given: Any, engine: str, name: str) -> dict[str, Any] | None:
    """Return the class and its arguments, checked; None if nothing is given.

    Parameters
    ----------
    given : the value of the key
    engine : of the model
    name : of the model, for messages
    """
    if given is None:
        return None
    if not isinstance(given, Mapping) or not isinstance(given.get("model"), str):
        raise UserError(
            f"{KEY} of {name} is {schema.show(given)}; it must be a mapping with model, and params "
            "if it has any"
        )
    for key in given:
        if key not in KEYS:
            raise UserError(f"{KEY} of {name}: unknown key {schema.show(key)}{suggest(key, KEYS)}")
    if not ENGINES[engine].local:
        raise UserError(f"{KEY} of {name} is only for models of {_local()}, not of {engine}")
    _, model = catalog.find(given["model"], engine)
    what = f"params in {KEY} of {name}"
    arguments = params.checked(catalog.info(engine, model), given.get("params"), what)
    return {"model": model, "params": arguments}


def _local() -> str:
    return " and ".join(name for name, engine in ENGINES.items() if engine.local)


def wrong_frozen(found: Any) -> str:
    """Return what is wrong with the value in a frozen configuration; empty if nothing is."""
    if found is None:
        return ""
    if not isinstance(found, Mapping) or set(found) != set(KEYS):
        return f"its {KEY} is not a model"
    if not isinstance(found["model"], str) or not isinstance(found["params"], dict):
        return f"its {KEY} has the wrong type"
    if refused := params.reserved(found["params"]):
        return f"its {KEY} holds {schema.show(refused)}, which cannot be given"
    return ""


def has_season(settings: Mapping[str, Any]) -> bool:
    """Return whether the data have a season, as far as the settings know."""
    return settings.get("season_length") != 1


def effective(item: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of a run's models, with the other class if its data have no season."""
    other = item.get(KEY)
    if not other or has_season(settings):
        return dict(item)
    return {key: value for key, value in item.items() if key != KEY} | dict(other)


def notes(settings: Mapping[str, Any]) -> list[str]:
    """Return a note on models with another class.

    Parameters
    ----------
    settings : of the run, completed from its data
    """
    items = [*settings["baselines"], *settings["models"]]
    found = [f"{item['name']} is {item[KEY]['model']}" for item in items if item.get(KEY)]
    if not found or has_season(settings):
        return []
    return [f"the data have no season, so {', '.join(found)} ({KEY})"]
