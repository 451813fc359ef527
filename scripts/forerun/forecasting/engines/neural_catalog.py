"""Models and losses of NeuralForecast, for the catalog."""

from __future__ import annotations

import neuralforecast.auto as auto_classes
import neuralforecast.losses.pytorch as losses
import neuralforecast.models as model_classes
import pytorch_lightning as lightning

from forerun.config.catalog import EngineCatalog, ModelInfo
from forerun.config.engines import versions
from forerun.forecasting.engines.describing import arguments, summary

_FAMILIES = {
    "recurrent": "RNN GRU LSTM DilatedRNN DeepAR xLSTM",
    "convolutional": "TCN BiTCN TimesNet",
    "mlp": "MLP NHITS NBEATS NBEATSx TiDE KAN DeepNPTS MLPMultivariate TSMixer TSMixerx TimeMixer"
    " SOFTS SOFTSSharp RMoK",
    "linear": "DLinear NLinear XLinear",
    "transformer": "TFT VanillaTransformer Informer Autoformer FEDformer PatchTST iTransformer"
    " TimeXer",
    "graph": "StemGNN",
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}
_NEEDS_HIERARCHY = "needs a summing matrix of a hierarchy, which a configuration cannot hold"
_UNSUPPORTED = {
    "HINT": _NEEDS_HIERARCHY,
    "AutoHINT": _NEEDS_HIERARCHY,
    "TimeLLM": "needs a language model from the network, and neuralforecast cannot save it",
}
#: Models that need a package that is not a dependency of NeuralForecast.
_NEEDS = {"xLSTM": ("xlstm",)}
_NOT_MODELS = {"RayOptions", "OptunaOptions"}
_NOT_TRAINABLE = {"BasePointLoss", "QuantileLayer", "relMSE", "Accuracy", "sCRPS"}


def describe() -> EngineCatalog:
    """Describe all models, including automatic ones, and all losses."""
    found = [_model(name) for name in model_classes.__all__]
    found += [_automatic(name) for name in auto_classes.__all__ if name not in _NOT_MODELS]
    trainable = [name for name in losses.__all__ if name not in _NOT_TRAINABLE]
    return EngineCatalog(
        versions(["neuralforecast", "pytorch-lightning"]),
        {info.name: info for info in found},
        {name: arguments(getattr(losses, name)) for name in trainable},
        frozenset(arguments(lightning.Trainer)),
    )


def _model(name: str, tuned_by: type | None = None) -> ModelInfo:
    """Describe a model, or the automatic model `tuned_by`, which has the same capabilities."""
    cls = getattr(model_classes, name)
    auto = tuned_by is not None
    own = tuned_by.__name__ if tuned_by else name
    return ModelInfo(
        own,
        "neuralforecast",
        _FAMILY.get(name, "neural"),
        summary=f"{name} with its arguments chosen by trials" if auto else summary(cls),
        multivariate=getattr(cls, "MULTIVARIATE", False),
        recurrent=getattr(cls, "RECURRENT", False),
        futr_exog=getattr(cls, "EXOGENOUS_FUTR", False),
        hist_exog=getattr(cls, "EXOGENOUS_HIST", False),
        stat_exog=getattr(cls, "EXOGENOUS_STAT", False),
        categorical=getattr(cls, "EXOGENOUS_CAT", False),
        auto=auto,
        base=name if auto else None,
        arguments=arguments(tuned_by or cls),
        needs=("neuralforecast", *_NEEDS.get(name, ())),
        unsupported=_UNSUPPORTED.get(own),
    )


def _automatic(name: str) -> ModelInfo:
    return _model(name.removeprefix("Auto"), getattr(auto_classes, name))
