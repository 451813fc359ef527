"""``deployment.yaml``: what a deployment forecasts from, how often, and its gates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.base.yaml_files import load_yaml
from forerun.deployments.periods import Period


@dataclass(frozen=True)
class Gates:
    """Conditions for a challenger to replace the champion.

    Attributes
    ----------
    min_origins : fewest origins with forecasts of both runs and actual values
    p_value : largest one-sided p-value of the Diebold-Mariano test on mean losses by origin
    min_improved : smallest share of series on which the challenger's error is smaller
    coverage_band : most percentage points by which coverage may differ from each nominal level
    max_bias : largest mean error as a share of the mean size of the values
    new_failures : models of the challenger that may fail although the champion's do not
    """

    min_origins: int = 4
    p_value: float = 0.05
    min_improved: float = 0.5
    coverage_band: float = 10.0
    max_bias: float = 0.1
    new_failures: int = 0


@dataclass(frozen=True)
class Retrain:
    """Policy that decides when a new run is due: never, at intervals, or when errors grow.

    Attributes
    ----------
    every : time after the end of the champion's data
    worse_by, origins : a run is due if the error exceeded that of the back-test by more than
        ``worse_by`` (a share) at each of the last ``origins`` origins
    """

    every: Period | None = None
    worse_by: float | None = None
    origins: int = 3


@dataclass(frozen=True)
class Settings:
    """The content of ``deployment.yaml``.

    Attributes
    ----------
    data_file : path of the table, or a pattern (``incoming/*.csv``) whose last match is used
    horizon : number of steps to forecast, as in the champion
    every : time between origins
    model : the model of the champion whose forecast is used, or ``ensemble``, ``per_series``
    metric : metric that gates and policies compare
    """

    data_file: str
    horizon: int
    every: Period = field(default_factory=lambda: Period(1, "steps"))
    model: str | None = None
    metric: str = "mae"
    static_file: str | None = None
    futr_file: str | None = None
    retrain: Retrain = field(default_factory=Retrain)
    gates: Gates = field(default_factory=Gates)

    @classmethod
    def read(cls, path: str | Path) -> Settings:
        """Read ``deployment.yaml``; refuse unknown keys and values of the wrong kind."""
        return cls.of(load_yaml(path), str(path))

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str = "deployment.yaml") -> Settings:
        """Validate and convert the values of the file."""
        _check_keys(values, cls, where)
        read = dict(values)
        for name in ("data_file", "horizon"):
            if read.get(name) is None:
                raise UserError(f"{where}: {name} is missing")
        for name in ("data_file", "static_file", "futr_file", "model", "metric"):
            if read.get(name) is not None and not isinstance(read[name], str):
                raise UserError(f"{where}: {name} must be a string, not {read[name]!r}")
        read["horizon"] = _number(read["horizon"], f"{where}: horizon", int, 1)
        read["every"] = Period.parse(read.get("every", "1 steps"), f"{where}: every")
        read["retrain"] = _retrain(read.get("retrain", "never"), f"{where}: retrain")
        read["gates"] = _gates(read.get("gates") or {}, f"{where}: gates")
        return cls(**{name: value for name, value in read.items() if value is not None})

    def as_dict(self) -> dict[str, Any]:
        """Return the values as written into the file."""
        retrain: Any = "never"
        if self.retrain.every:
            retrain = {"every": str(self.retrain.every)}
        elif self.retrain.worse_by is not None:
            retrain = {"worse_by": self.retrain.worse_by, "origins": self.retrain.origins}
        gates = {item.name: getattr(self.gates, item.name) for item in fields(Gates)}
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return plain | {"every": str(self.every), "retrain": retrain, "gates": gates}


def _check_keys(values: Any, kind: type, where: str) -> None:
    if not isinstance(values, Mapping):
        raise UserError(f"{where}: must be a mapping of keys to values, not {values!r}")
    names = [item.name for item in fields(kind)]
    for key in values:
        if key not in names:
            raise UserError(
                f"{where}: unknown key '{key}'{suggest(str(key), names)}; keys are "
                f"{', '.join(names)}"
            )


def _number(value: Any, what: str, kind: type, low: float, high: float = math.inf) -> Any:
    right = isinstance(value, (int, float) if kind is float else int)
    if isinstance(value, bool) or not right or not low <= value <= high:
        upper = "" if high == math.inf else f" and at most {high:g}"
        whole = "a whole number" if kind is int else "a number"
        raise UserError(f"{what} must be {whole} of at least {low:g}{upper}, not {value!r}")
    return kind(value)


def _gates(values: Any, where: str) -> Gates:
    _check_keys(values, Gates, where)
    limits: dict[str, tuple[type, float, float]] = {
        "min_origins": (int, 2, math.inf), "p_value": (float, 0, 1), "min_improved": (float, 0, 1),
        "coverage_band": (float, 0, 100), "max_bias": (float, 0, math.inf),
        "new_failures": (int, 0, math.inf),
    }  # fmt: skip
    read = {k: _number(v, f"{where}: {k}", *limits[k]) for k, v in values.items()}
    return Gates(**read)


def _retrain(value: Any, where: str) -> Retrain:
    if value == "never":
        return Retrain()
    if not isinstance(value, Mapping):
        raise UserError(
            f"{where} must be 'never', 'every: 8W' or 'worse_by: 0.2' with 'origins: 3', "
            f"not {value!r}"
        )
    _check_keys(value, Retrain, where)
    if ("every" in value) == ("worse_by" in value):
        raise UserError(f"{where}: give either 'every' or 'worse_by'")
    if "every" in value:
        return Retrain(every=Period.parse(value["every"], f"{where}: every"))
    default = next(f.default for f in fields(Retrain) if f.name == "origins")
    assert default is not MISSING
    return Retrain(
        worse_by=_number(value["worse_by"], f"{where}: worse_by", float, 0),
        origins=_number(value.get("origins", default), f"{where}: origins", int, 1),
    )
