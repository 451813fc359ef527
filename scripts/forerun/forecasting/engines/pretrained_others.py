"""TimesFM 2.5, from transformers, and Fracast, whose package contains its weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from forerun.forecasting.engines.pretrained_families import Family, Task, batches, padded

if TYPE_CHECKING:
    from forerun.forecasting.engines.pretrained_families import Floats


def _read_timesfm(folder: Path, device: str) -> Any:
    from transformers import TimesFm2_5ModelForPrediction

    model = TimesFm2_5ModelForPrediction.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    return model.to(device).eval()


def _forecast_timesfm(model: Any, tasks: list[Task], steps: int, size: int) -> Floats:
    """Forecast in batches of series with similar length.

    The model normalizes by the mean of the padded series, so a forecast would otherwise depend on
    the other series.
    """
    config = model.config
    patch, most = int(config.patch_length), int(config.context_length)
    lengths = np.array(
        [min(most, patch * math.ceil(len(task.target) / patch)) for task in tasks], dtype=int
    )
    found = np.empty((len(tasks), steps, len(config.quantiles)))
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        for some in batches(len(alike), size):
            numbers = alike[some]
            series = [torch.tensor(tasks[i].target[-length:], dtype=torch.float32) for i in numbers]
            done = model(
                past_values=[one.to(model.device) for one in series],
                forecast_context_len=int(length),
                truncate_negative=False,  # the check covers all series of the batch
            )
            values = done.full_predictions[:, :steps, 1:].double().cpu().numpy()
            if config.infer_is_positive:
                positive = np.array([bool(one.min() >= 0) for one in series])
                values[positive] = np.maximum(values[positive], 0)
            found[numbers] = values
    return found


def _read_fracast(folder: Path, device: str) -> Any:
    from fracast import FracastModel

    return FracastModel.from_pretrained(folder, weights="fp32", device=device)


def _forecast_fracast(model: Any, tasks: list[Task], steps: int, size: int) -> Floats:
    found = []
    for some in batches(len(tasks), size):
        rows = padded([task.target[-model.context_length :] for task in tasks[some]])
        found.append(np.asarray(model.forecast_batch(rows, horizon=steps), dtype=float))
    return np.concatenate(found)


TIMESFM = Family(
    "TimesFM",
    "TimesFM 2.5 of Google: decoder of patches of one series",
    ("transformers", "torch"),
    _read_timesfm,
    lambda model: model.config.quantiles,
    _forecast_timesfm,
)
FRACAST = Family(
    "Fracast",
    "Fracast-0: convolutions on several time scales, 85,001 weights",
    ("fracast", "torch"),
    _read_fracast,
    lambda model: model.quantiles,
    _forecast_fracast,
    shortest=8,
)
