"""Requirements of models on the data, checked before training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.config import catalog
from forerun.config.models import ModelSpec, exogenous_columns, specs
from forerun.config.training_losses import distribution_of

if TYPE_CHECKING:
    import pandas as pd

#: Distributions of a target that cannot be negative, and of one that is 0 or 1.
NOT_NEGATIVE = ("Poisson", "NegativeBinomial", "Tweedie", "PMM", "NBMM")
ZERO_OR_ONE = ("Bernoulli",)
#: Models of StatsForecast that decompose seasons.
NEED_SEASON = ("MSTL",)


def check(settings: Mapping[str, Any], frame: pd.DataFrame) -> None:
    """Refuse models that cannot train on a run's data.

    Parameters
    ----------
    settings : settings of the run, completed from its data
    frame : ``unique_id``, ``ds``, ``y``; rows without ``y`` are ignored

    Raises
    ------
    UserError
        Names the model, its requirement, the first offending value and an alternative.
    """
    for spec in specs(settings):
        if spec.is_network:
            _check_distribution(spec, frame)
            _check_season_of_loss(spec, settings)
        elif spec.model in NEED_SEASON:
            _check_season(spec, settings)


def notes(settings: Mapping[str, Any]) -> list[str]:
    """Return a note on models that do not use the future values of known columns."""
    found = [
        spec.name
        for spec in specs(settings)
        if spec.model in catalog.PAST_ONLY and exogenous_columns(spec, settings)["futr_exog"]
    ]
    if not found:
        return []
    return [
        f"{', '.join(found)}: this network uses known columns only up to the cutoff; its forecasts "
        "do not depend on their future values"
    ]


def _check_distribution(spec: ModelSpec, frame: pd.DataFrame) -> None:
    import numpy as np

    name = distribution_of(spec.params.get("loss"))
    if name not in (*NOT_NEGATIVE, *ZERO_OR_ONE):
        return
    if spec.takes_remainder:
        raise UserError(
            f"the loss {name} of {spec.name} needs a target that is not negative, but what "
            f"transform: {spec.transform} leaves is positive and negative; use the distribution "
            "Normal or StudentT, or another transform"
        )
    target = frame["y"].to_numpy(dtype=float)
    if spec.takes_log:
        target = np.log(np.where(target + spec.plus > 0, target + spec.plus, np.nan))
    bad = ~np.isin(target, (0, 1)) if name in ZERO_OR_ONE else target < 0
    bad &= ~np.isnan(target)
    if not bad.any():
        return
    first = frame[bad].iloc[0]
    need = "of 0 and 1 only" if name in ZERO_OR_ONE else "without negative values"
    of = "the log of the target" if spec.takes_log else "the target"
    raise UserError(
        f"the loss {name} of {spec.name} needs a target {need}: {of} of series "
        f"'{first['unique_id']}' at {first['ds']} is {target[bad][0]:g} ({int(bad.sum())} such "
        "values in all); use the distribution Normal or StudentT"
    )


def _check_season_of_loss(spec: ModelSpec, settings: Mapping[str, Any]) -> None:
    """Check that the season by which a loss (MASE) scales is shorter than the input."""
    for key in ("loss", "valid_loss"):
        loss = spec.params.get(key)
        season = loss.get("seasonality") if isinstance(loss, Mapping) else None
        size = spec.params.get("input_size") or settings["input_size"]
        if season is not None and season >= size:
            raise UserError(
                f"the {key} MASE of {spec.name} has a seasonality of {season}, its input_size is "
                f"{size}; give it a larger input_size or a smaller seasonality"
            )


def _check_season(spec: ModelSpec, settings: Mapping[str, Any]) -> None:
    """Check that a model that decomposes seasons has one."""
    season = spec.params.get("season_length", settings["season_length"])
    if season in (1, [1]):
        raise UserError(
            f"{spec.name} needs a season, but season_length is 1; set season_length in its params, "
            "or leave the model out"
        )
