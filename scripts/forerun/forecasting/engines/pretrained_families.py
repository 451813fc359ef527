"""Interface of a class of pretrained models, and the series passed to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from forerun.forecasting.engines.base import Progress

    Floats = npt.NDArray[np.float64]


@dataclass
class Task:
    """One series to forecast.

    Attributes
    ----------
    target : past values
    past : past values of each covariate
    known : future values of the known covariates
    """

    target: Floats
    past: dict[str, Floats] = field(default_factory=dict)
    known: dict[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """Functions of one class of models.

    Attributes
    ----------
    needs : required packages, the one with the model first
    read : folder, device -> model
    quantiles : model -> its quantiles, ascending
    forecast : model, series, steps, batch size -> array, shape (series, steps, quantiles)
    covariates : whether past and known covariates are used
    shortest : minimum number of steps of a series
    tune : model, series, names of known covariates, steps, arguments, seed, progress -> model
    write : model, new folder; only with `tune`
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    read: Callable[[Path, str], Any]
    quantiles: Callable[[Any], Sequence[float]]
    forecast: Callable[[Any, list[Task], int, int], Floats]
    covariates: bool = False
    shortest: int = 1
    tune: (
        Callable[[Any, list[Task], list[str], int, Mapping[str, Any], int, Progress], Any] | None
    ) = None
    write: Callable[[Any, Path], None] | None = None


def offline() -> None:
    """Keep Hugging Face's libraries from using the network, in this process and its children."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    with suppress(ImportError):
        from huggingface_hub import constants

        constants.HF_HUB_OFFLINE = True  # imported before the variable was set
    with suppress(ImportError):
        from transformers.utils import logging

        logging.disable_progress_bar()


def batches(number: int, size: int) -> list[slice]:
    """Return slices of at most `size`."""
    return [slice(start, start + size) for start in range(0, number, max(1, size))]


def padded(series: Sequence[Floats], length: int | None = None) -> Floats:
    """Return series as rows of equal length; missing values come first."""
    length = length or max(map(len, series))
    rows = np.full((len(series), length), np.nan)
    for row, values in zip(rows, series, strict=True):
        if len(values):
            row[-min(len(values), length) :] = values[-length:]
    return rows
