"""Default arguments that bound the search of automatic models: with columns, or a long season.

CPU seconds of a fit with the defaults of StatsForecast and with these, which have lower errors:
AutoARIMA of 588 days with 12 columns 11 and 1, of 800 hours 78 and 0.7; AutoETS of 800
hours 0.4 to 1.1, with errors above those of the seasonal naive forecast, and 0.1 (docs/models.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forerun.config.models import exogenous_columns

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

#: Steps of a long season: the hours of a day.
LONG = 24


@dataclass(frozen=True)
class Search:
    """A bounded search.

    Attributes
    ----------
    is_joint : whether the arguments have a meaning only together: if the user has set one of them,
        the search is not bounded
    """

    arguments: Mapping[str, Any]
    is_joint: bool = False


#: The search of each class.
SEARCHES = {
    "AutoARIMA": Search(
        {
            **{"approximation": True, "nmodels": 10},
            **{"max_p": 2, "max_q": 2, "max_P": 1, "max_Q": 1},
        }
    ),
    "AutoETS": Search({"model": "AZA", "damped": True}, is_joint=True),
}


def bounds(spec: ModelSpec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the user has not set; none if the search is not bounded."""
    return _bounds(spec, settings)[1]


def _bounds(spec: ModelSpec, settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return why the search is bounded, and the arguments.

    With columns it is since version 2 of the key ``model_defaults``, with a long season since 3.
    """
    search, version = SEARCHES.get(spec.model), settings.get("model_defaults", 1)
    if search is None or (search.is_joint and search.arguments.keys() & spec.params.keys()):
        return "", {}
    season = _season(spec, settings)
    if version >= 2 and exogenous_columns(spec, settings)["futr_exog"]:
        why = "has columns"
    elif version >= 3 and season >= LONG:
        why = f"the season has {season} steps"
    else:
        return "", {}
    given = search.arguments.items()
    return why, {name: value for name, value in given if name not in spec.params}


def _season(spec: ModelSpec, settings: Mapping[str, Any]) -> int:
    """Return the season of a model, which may differ from that of the data."""
    season = spec.params.get("season_length", settings.get("season_length"))
    return season if isinstance(season, int) else 1


def note(spec: ModelSpec, settings: Mapping[str, Any]) -> str:
    """Return a line for users; empty if nothing is bounded."""
    why, arguments = _bounds(spec, settings)
    listed = ", ".join(f"{name}: {value}" for name, value in arguments.items())
    return f"{spec.name}: {why}, so its search is bounded ({listed})" if listed else ""


def notes(specs: Iterable[ModelSpec], settings: Mapping[str, Any]) -> list[str]:
    """Return a line for each model whose search is bounded."""
    return [line for spec in specs if (line := note(spec, settings))]
