"""Training losses of networks, and validation of their combinations before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from forerun.base.errors import suggest
from forerun.config import catalog, schema

#: Distributions of DistributionLoss, each with its additional arguments.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    "Normal": (),
    "StudentT": (),
    "Poisson": (),
    "NegativeBinomial": (),
    "Bernoulli": (),
    "Tweedie": ("rho",),
    "ISQF": ("num_pieces",),
}
#: Losses that predict a distribution; its mean is the point forecast.
DISTRIBUTION_LOSSES = ("DistributionLoss", "PMM", "GMM", "NBMM")
#: Losses that predict quantiles only; the median is the point forecast.
QUANTILE_LOSSES = ("MQLoss", "HuberMQLoss")
#: Losses whose quantile is an input of the network.
IMPLICIT_LOSSES = ("IQLoss", "HuberIQLoss")
#: Networks that predict a single value for each step.
POINT_ONLY = ("DeepNPTS",)

_WHOLE = ("n_components", "num_samples", "num_pieces", "seasonality", "cos_embedding_dim")
_ABOVE_ZERO = ("delta", "c", "concentration0", "concentration1")
_TRUE_OR_FALSE = (
    "return_params", "batch_correlation", "horizon_correlation", "weighted", "normalize",
)  # fmt: skip
_LEVEL_IN_PERCENT = "levels are in percent, between 1 and 100"


def losses() -> Mapping[str, catalog.Arguments]:
    """Return the training losses of networks, each with its arguments."""
    return catalog.of_engine("neuralforecast").losses


def name_of(value: Any) -> str:
    """Return a loss's name from ``MAE`` or ``{name: MQLoss, level: [80]}``."""
    return str(value.get("name") if isinstance(value, Mapping) else value)


def distribution_of(value: Any) -> str:
    """Return the distribution of a DistributionLoss, or the name of another loss."""
    if isinstance(value, Mapping) and name_of(value) == "DistributionLoss":
        return str(value.get("distribution"))
    return name_of(value)


def check(key: str, value: Any) -> list[str]:
    """Return one sentence for each problem of ``loss`` or ``valid_loss`` alone."""
    available = losses()
    given = dict(value) if isinstance(value, Mapping) else {"name": value}
    loss = given.pop("name", None)
    if not isinstance(loss, str) or loss not in available:
        hint = _hint(loss, available) if isinstance(loss, str) else ""
        return [f"{key} is {schema.show(value)}; it must be one of {', '.join(available)}{hint}"]
    own, wrong = _arguments(loss, given)
    taken = [name for name in own if name != "horizon_weight"]
    for name in given:
        if name == "horizon_weight":
            wrong.append("'horizon_weight' is an array, which a configuration cannot contain")
        elif name not in taken:
            wrong.append(f"has no argument {schema.show(name)}{suggest(name, taken)}")
        else:
            wrong += _check_value(name, given[name])
    wrong += [
        f"needs the argument '{name}'{_example(name)}"
        for name, required in own.items()
        if required and name not in given
    ]
    if "level" in given and "quantiles" in given:
        wrong.append("takes level or quantiles, not both; leave one out")
    wrong += _check_median(loss, given.get("quantiles"))
    return [f"{key} {loss} {sentence}" for sentence in wrong]


def _hint(loss: str, available: Iterable[str]) -> str:
    if loss in DISTRIBUTIONS:
        return f"; write {{name: DistributionLoss, distribution: {loss}}}"
    return suggest(loss, available)


def _arguments(loss: str, given: Mapping[str, Any]) -> tuple[dict[str, bool], list[str]]:
    """Return the arguments of a loss, each with whether it is required, and the problems."""
    own = {name: one.required for name, one in losses()[loss].items()}
    if loss != "DistributionLoss" or "distribution" not in given:
        return own, []
    chosen = given["distribution"]
    if not isinstance(chosen, str) or chosen not in DISTRIBUTIONS:
        hint = suggest(chosen, DISTRIBUTIONS) if isinstance(chosen, str) else ""
        listed = ", ".join(DISTRIBUTIONS)
        return own | dict.fromkeys(["rho", "num_pieces"], False), [
            f"has no distribution {schema.show(chosen)}, only {listed}{hint}"
        ]
    extra = {name: name == "rho" for name in DISTRIBUTIONS[chosen]}
    wrong = [
        f"takes '{name}' with the distribution {owner} only, leave it out"
        for owner, names in DISTRIBUTIONS.items()
        for name in names
        if name in given and owner != chosen
    ]
    if given.get("return_params") and extra:
        wrong.append(f"cannot return_params of {chosen}, leave it out")
    return own | dict.fromkeys(["rho", "num_pieces"], False) | extra, wrong


def _example(name: str) -> str:
    return {
        "rho": ", a number between 1 and 2, such as rho: 1.5",
        "q": ", a quantile between 0 and 1, such as q: 0.5",
        "seasonality": ", the steps of a season, such as seasonality: 12",
        "distribution": f", one of {', '.join(DISTRIBUTIONS)}",
    }.get(name, "")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_value(name: str, value: Any) -> list[str]:
    """Check one argument; return what is wrong with it."""
    is_ = f"has {name} {schema.show(value)}"
    if name == "level":
        return _check_levels(value)
    if name in ("quantiles", "q"):
        return _check_quantiles(name, value)
    if name == "rho" and not (_is_number(value) and 1 < value < 2):
        return [f"{is_}; it must be a number between 1 and 2"]
    if name in _WHOLE and not (_is_number(value) and value >= 1 and value == int(value)):
        return [f"{is_}; it must be an integer of at least 1"]
    if name in _ABOVE_ZERO and not (_is_number(value) and value > 0):
        return [f"{is_}; it must be a number above 0"]
    if name == "alpha" and not (_is_number(value) and 0 <= value <= 1):
        return [f"{is_}; it must be a number from 0 to 1"]
    if name in _TRUE_OR_FALSE and not isinstance(value, bool):
        return [f"{is_}; it must be true or false"]
    return []


def _check_levels(value: Any) -> list[str]:
    if not isinstance(value, list):
        return [f"has level {schema.show(value)}; it must be a list such as [80, 95]"]
    for one in value:
        if not _is_number(one) or not 1 <= one < 100:
            share = _is_number(one) and 0 < one < 1
            write = f"; write {100 * one:g}" if share else ""
            return [f"has the level {schema.show(one)}; {_LEVEL_IN_PERCENT}{write}"]
    return _check_unique("level", value)


def _check_quantiles(name: str, value: Any) -> list[str]:
    if name == "quantiles" and (not isinstance(value, list) or not value):
        return [f"has quantiles {schema.show(value)}; it must be a list such as [0.1, 0.5, 0.9]"]
    for one in value if name == "quantiles" else [value]:
        if not _is_number(one) or not 0 < one < 1:
            write = f"; write {one / 100:g}" if _is_number(one) and 1 < one < 100 else ""
            return [f"has the quantile {schema.show(one)}; it must be between 0 and 1{write}"]
    return _check_unique(name, value) if name == "quantiles" else []


def _check_unique(name: str, values: list[Any]) -> list[str]:
    return [] if len(set(values)) == len(values) else [f"has duplicates in {name}: {values}"]


def _check_median(loss: str, quantiles: Any) -> list[str]:
    """Require the median: it is the point forecast of a loss that predicts quantiles only."""
    if loss not in QUANTILE_LOSSES or not isinstance(quantiles, list) or not quantiles:
        return []
    if _check_quantiles("quantiles", quantiles) or 0.5 in quantiles:
        return []
    write = ", ".join(f"{one:g}" for one in sorted([*quantiles, 0.5]))
    return [f"needs the quantile 0.5, which is the point forecast; write quantiles: [{write}]"]


def check_pair(info: catalog.ModelInfo, params: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each incompatibility between a model's losses.

    Each loss has passed :func:`check`.
    """
    loss, valid = params.get("loss"), params.get("valid_loss")
    own, other = name_of(loss), name_of(valid)
    several = (*QUANTILE_LOSSES, *DISTRIBUTION_LOSSES)
    if (info.base or info.name) in POINT_ONLY:
        for key, name in (("loss", own), ("valid_loss", other)):
            if name in several:
                return [f"{info.name} supports point losses only (such as MAE); {key} is {name}"]
    if valid is None:
        return []
    leave = "leave valid_loss out"
    if own in IMPLICIT_LOSSES or other in IMPLICIT_LOSSES:
        return [] if own == other else [f"valid_loss must be {own} when loss is; {leave}"]
    if other in DISTRIBUTION_LOSSES:
        same = f"valid_loss {other} requires the same loss; {leave}"
        return [] if loss == valid else [same]
    if other not in QUANTILE_LOSSES:
        alone = f"valid_loss {other} cannot be combined with the loss {own}; {leave}"
        return [alone] if own in QUANTILE_LOSSES else []
    if own not in several or _grid(loss) != _grid(valid):
        return [f"valid_loss {other} requires a loss with the same quantiles; {leave}"]
    return []


def _grid(loss: Any) -> Any:
    """Return the arguments that determine the number of outputs of a loss for each step."""
    given = loss if isinstance(loss, Mapping) else {}
    return given.get("quantiles"), given.get("level")
