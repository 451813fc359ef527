"""Training steps of networks with less overhead, and the same weights to the byte.

In each step NeuralForecast copies all windows of its batch of series, although it trains on
``windows_batch_size`` of them, and has Lightning average the loss, which only early stopping and
automatic models use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from neuralforecast.common._base_auto import BaseAuto
from neuralforecast.common._base_model import BaseModel

_CREATE_WINDOWS, _LOG = BaseModel._create_windows, BaseModel.log


@contextmanager
def less_overhead(model: Any) -> Iterator[None]:
    """Train a network inside the block with less overhead in each step."""
    is_average_used = isinstance(model, BaseAuto) or model.early_stop_patience_steps > 0
    BaseModel._create_windows = _create_windows
    BaseModel.log = _LOG if is_average_used else _log
    try:
        yield
    finally:
        BaseModel._create_windows = _CREATE_WINDOWS
        del BaseModel.log  # Lightning's is inherited again


class _Windows:
    """The windows of a batch, of which only the chosen ones are copied."""

    def __init__(self, windows: torch.Tensor) -> None:
        self.windows, self.device = windows, windows.device

    def __getitem__(self, chosen: torch.Tensor) -> torch.Tensor:
        """Return windows by their positions among those of all series."""
        number = self.windows.shape[1]
        own = self.windows[chosen // number, chosen % number]
        return own.contiguous().unsqueeze(-1)


def _create_windows(self: Any, batch: dict[str, Any], step: str) -> Any:
    """Do the same as NeuralForecast for the training of univariate models, without copies."""
    columns, temporal = batch["temporal_cols"], batch["temporal"]
    size = self.input_size + self.h
    is_usual = step == "train" and not self.MULTIVARIATE and "sample_weight" not in columns
    if is_usual and self.h > 0:
        if self.val_size + self.test_size > 0:
            temporal = temporal[:, :, : -self.val_size - self.test_size]
        temporal = self.padder_train(temporal)
    if not is_usual or self.h == 0 or temporal.shape[-1] < size:
        return _CREATE_WINDOWS(self, batch, step)
    # series x windows x steps x columns
    windows = temporal.unfold(-1, size, self.step_size).permute(0, 2, 3, 1)
    seen = windows[..., columns.get_loc("available_mask")]
    before, after = seen[..., : self.input_size].sum(-1), seen[..., self.input_size :].sum(-1)
    enough = before >= max(1, int(self.input_size * self.min_insample_fraction * self.n_series))
    enough &= after >= max(1, int(self.h * self.min_outsample_fraction * self.n_series))
    if not enough.any():
        return _CREATE_WINDOWS(self, batch, step)  # refuses it
    static = batch.get("static")
    if static is not None:
        static = static.repeat_interleave(windows.shape[1], dim=0)
    places = enough.flatten().nonzero().squeeze(-1)
    return _Windows(windows), static, batch.get("static_cols"), places, None, columns


def _log(self: Any, name: str, *arguments: Any, **options: Any) -> None:
    if name != "train_loss":
        _LOG(self, name, *arguments, **options)
