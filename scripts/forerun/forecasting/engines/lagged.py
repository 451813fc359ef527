"""The features of mlforecast's regressors: lags, statistics of past values, dates; their defaults.

With known future columns the target is used as it is, with means of past values; without them it is
differenced, because trees do not extrapolate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from mlforecast import MLForecast, lag_transforms
from mlforecast.target_transforms import Differences, LocalStandardScaler

from forerun.base.errors import UserError
from forerun.config.regressor_features import lag_transform
from forerun.config.windows import reach

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

#: Largest number of default lags.
MOST_LAGS = 48
#: Weight of the last value in the default exponential mean.
WEIGHT = 0.3
#: Default date features by the prefix of the frequency, without a calendar.
_DATES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("D", "B", "C"), ("dayofweek",)),
    **dict.fromkeys(("h", "min"), ("hour", "dayofweek")),
    **dict.fromkeys(("MS", "ME"), ("month",)),
    **dict.fromkeys(("QS", "QE"), ("quarter",)),
}
_CLASSES = {
    "rolling_mean": lag_transforms.RollingMean,
    "rolling_std": lag_transforms.RollingStd,
    "rolling_min": lag_transforms.RollingMin,
    "rolling_max": lag_transforms.RollingMax,
    "seasonal_mean": lag_transforms.SeasonalRollingMean,
}


@dataclass(frozen=True)
class Features:
    """The features of a regressor besides exogenous columns; saved with the model.

    Attributes
    ----------
    lags : steps back
    lag_transforms : as in :mod:`forerun.config.regressor_features`
    differences : steps of the differences of the target
    date_features : pandas' properties of a time stamp
    direct : whether there is a regressor for each step to forecast
    """

    lags: list[int]
    lag_transforms: list[str]
    differences: list[int]
    date_features: list[str]
    direct: bool

    @classmethod
    def of(cls, spec: ModelSpec, settings: Mapping[str, Any], known: bool) -> Features:
        """Return the features of the user's arguments and the defaults.

        Parameters
        ----------
        known : whether the model uses columns with known future values
        """
        given = spec.params
        dates = given.get("date_features")
        if dates is None:
            dates = _default_dates(settings) if known and not settings.get("calendar") else []
        transforms = given.get("lag_transforms")
        if transforms is None:
            transforms = _default_transforms(settings) if known else []
        differences = given.get("differences", [] if known else [1])
        return cls(
            _lags(given.get("lags"), settings),
            list(transforms),
            [differences] if isinstance(differences, int) else list(differences or []),
            list(dates),
            given.get("direct") is True,
        )

    @classmethod
    def read(cls, record: Any, spec: ModelSpec, settings: Mapping[str, Any]) -> Features:
        """Return the saved features; those of version 0.1 are saved as params only."""
        if record is None:
            return cls.of(spec, settings, known=False)
        try:
            found = cls(**{field.name: record[field.name] for field in fields(cls)})
            lists = (found.lags, found.lag_transforms, found.differences, found.date_features)
            if all(isinstance(one, list) for one in lists) and isinstance(found.direct, bool):
                return found
        except (KeyError, TypeError):
            pass
        raise UserError(f"the features of {spec.name} are damaged; restore model.json")

    def build(self, name: str, settings: Mapping[str, Any], regressor: Any) -> MLForecast:
        """Return mlforecast's object around a regressor."""
        steps: list[Any] = [Differences(self.differences)] if self.differences else []
        transforms: dict[int, list[Any]] = {}
        for written in self.lag_transforms:
            one = lag_transform(written)
            transforms.setdefault(one.lag, []).append(_transform(one.name, one.numbers))
        return MLForecast(
            models={name: regressor},
            freq=settings["freq"],
            lags=self.lags,
            lag_transforms=transforms,
            date_features=self.date_features,
            target_transforms=[*steps, LocalStandardScaler()],
            num_threads=settings["threads"],
        )

    def horizon(self, settings: Mapping[str, Any]) -> int | None:
        """Return the number of regressors, one for each step; None if one does all steps."""
        return reach(dict(settings)) if self.direct else None


def _transform(name: str, numbers: tuple[float, ...]) -> Any:
    """Return a transform with the smallest `min_samples`, so short series keep their rows."""
    if name == "expanding_mean":
        return lag_transforms.ExpandingMean()
    if name == "ewm":
        return lag_transforms.ExponentiallyWeightedMean(alpha=numbers[0])
    least = 2 if name == "rolling_std" else 1
    return _CLASSES[name](*(int(number) for number in numbers), min_samples=least)


def _lags(given: Any, settings: Mapping[str, Any]) -> list[int]:
    if given:
        return [int(lag) for lag in given]
    season, size = int(settings["season_length"]), int(settings["input_size"])
    longest = max(1, min(size, max(2 * season, 12), MOST_LAGS))
    lags = list(range(1, longest + 1))
    return lags if season <= longest or season > size else [*lags, season]


def _default_transforms(settings: Mapping[str, Any]) -> list[str]:
    """Return means over a season and over four, the mean of the same season, and a recent mean."""
    season, size = int(settings["season_length"]), int(settings["input_size"])
    windows = [season, 4 * season] if season > 1 else [4, 12]
    found = [f"rolling_mean:{steps}" for steps in windows if steps <= size]
    found.append(f"ewm:{WEIGHT}")
    if season > 1 and 4 * season <= size:
        found.append(f"seasonal_mean:{season}:4@{season}")
    return found


def _default_dates(settings: Mapping[str, Any]) -> list[str]:
    freq = str(settings["freq"])
    return list(_DATES.get(freq.partition("-")[0].lstrip("0123456789"), ()))
