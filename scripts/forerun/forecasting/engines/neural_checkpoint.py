"""Checkpoints of networks: a resumed fit ends with the same weights, to the byte.

NeuralForecast starts its Lightning trainer without ``ckpt_path``, and Lightning restarts an epoch
with its first batch. So this callback saves and restores weights, optimizer, learning rate, early
stopping, loop counters, random states, and the position in the epoch's order of series.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch

from forerun.base.bounded import Damaged
from forerun.forecasting.checkpoint import Checkpoint, Header
from forerun.forecasting.engines.base import Progress

#: Maximum size of a state: a multiple of the model's weights (Adam keeps two copies), plus bytes.
COPIES, MORE = 8, 64_000_000
_KEYS = {
    *("weights", "optimizers", "schedulers", "precision", "callbacks", "epochs"),
    *("steps", "order", "batch", "random"),
}


class _Sampler:
    """The order of series in an epoch; remembers the random state that determines it.

    Attributes
    ----------
    start : random state at the start of the epoch
    resumed : random state and number of series to skip of an epoch to continue
    """

    def __init__(self, sampler: Any, resumed: tuple[torch.Tensor, int] | None = None):
        self.sampler, self.resumed = sampler, resumed
        self.start = torch.get_rng_state()

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        skipped = 0
        if self.resumed:
            state, skipped = self.resumed
            torch.set_rng_state(state)
            self.resumed = None
        self.start = torch.get_rng_state()
        yield from islice(self.sampler, skipped, None)


class Checkpoints(lightning.Callback):
    """Saves the state of a training in intervals, and continues from a saved state."""

    def __init__(self, checkpoint: Checkpoint, progress: Progress):
        self.checkpoint, self.progress = checkpoint, progress
        self.saved_at = time.monotonic()
        self.found: tuple[Header, dict[str, Any]] | None = None

    def __deepcopy__(self, memo: Any) -> Checkpoints:
        return self  # NeuralForecast copies the arguments of a model that it saves

    def attach(self, model: Any) -> None:
        """Attach the callback to an untrained model and read its checkpoint.

        An unusable checkpoint is reported and ignored. Models that stop early by the training loss,
        a mean over the epoch, get no checkpoints.
        """
        if model.early_stop_patience_steps > 0 and model.val_monitor == "train_loss":
            return
        size = sum(tensor.nbytes for tensor in model.state_dict().values())
        try:
            if found := self.checkpoint.read(COPIES * size + MORE):
                self.found = found[0], _loaded(found[1], model, self.checkpoint.path)
        except Damaged as error:
            print(f"forerun: {error}; the checkpoint is ignored", flush=True)
        model.trainer_kwargs["callbacks"].append(self)

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        loader = trainer.train_dataloader
        if loader.num_workers or isinstance(loader.batch_sampler.sampler, _Sampler):
            return
        resumed = None
        if self.found:
            state = self.found[1]
            resumed = state["order"], state["batch"] * loader.batch_size
        loader.batch_sampler.sampler = _Sampler(loader.batch_sampler.sampler, resumed)

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        sampler = trainer.train_dataloader.batch_sampler.sampler
        if not isinstance(sampler, _Sampler):  # it runs ahead of the training
            return
        if self.found:
            header, state = self.found
            _restore(trainer, module, state)
            print(header.words, flush=True)
            self.progress(header.step, header.max_steps, None, resumed=True)
            self.found = None
        elif self._is_due(trainer, batch_idx):
            self._save(trainer, module, sampler.start, batch_idx)

    def _is_due(self, trainer: Any, batch_idx: int) -> bool:
        waited = time.monotonic() - self.saved_at
        whole = batch_idx % trainer.accumulate_grad_batches == 0
        return trainer.global_step > 0 and waited >= self.checkpoint.seconds and whole

    def _save(self, trainer: Any, module: Any, start: torch.Tensor, batch_idx: int) -> None:
        """Save the state of the training; errors such as a full disk are reported and ignored."""
        state = {
            "weights": dict(module.state_dict()),
            "optimizers": [optimizer.state_dict() for optimizer in trainer.optimizers],
            "schedulers": [
                config.scheduler.state_dict() for config in trainer.lr_scheduler_configs
            ],
            "precision": dict(trainer.precision_plugin.state_dict()),
            "callbacks": {one.state_key: one.state_dict() for one in trainer.callbacks},
            "epochs": trainer.fit_loop.epoch_progress.state_dict(),
            "steps": trainer.fit_loop.epoch_loop.state_dict(),
            "order": start,
            "batch": batch_idx,
            "random": _random_states(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        try:
            self.checkpoint.write(trainer.global_step, trainer.max_steps, buffer.getbuffer())
        except OSError as error:
            print(f"forerun: no checkpoint was saved: {error}", flush=True)
        self.saved_at = time.monotonic()


def _loaded(content: bytes, model: Any, path: str) -> dict[str, Any]:
    """Return a saved state for `model`, read by torch's restricted unpickler."""
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        shapes = {name: value.shape for name, value in state["weights"].items()}
    except Exception as error:
        raise Damaged(f"{path}: is damaged ({str(error).splitlines()[0][:100]})") from None
    expected = {name: value.shape for name, value in model.state_dict().items()}
    if set(state) != _KEYS or shapes != expected:
        raise Damaged(f"{path}: belongs to another network")
    return state


def _restore(trainer: Any, module: Any, state: dict[str, Any]) -> None:
    """Restore a saved state in a training that has just started, before its next step."""
    module.load_state_dict(state["weights"])
    for optimizer, saved in zip(trainer.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    for config, saved in zip(trainer.lr_scheduler_configs, state["schedulers"], strict=True):
        config.scheduler.load_state_dict(saved)
    trainer.precision_plugin.load_state_dict(state["precision"])
    for callback in trainer.callbacks:
        if callback.state_key in state["callbacks"]:
            callback.load_state_dict(state["callbacks"][callback.state_key])
    trainer.fit_loop.epoch_progress.load_state_dict(state["epochs"])
    steps = trainer.fit_loop.epoch_loop
    steps.load_state_dict(state["steps"])
    steps.restarting = False  # the state was saved within a step, not at a restart
    _set_random_states(state["random"])


def _random_states() -> dict[str, Any]:
    name, keys, *rest = np.random.get_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {
        "torch": torch.get_rng_state(),
        "cuda": devices,
        "numpy": [name, list(map(int, keys)), *rest],
        "python": random.getstate(),
    }


def _set_random_states(states: dict[str, Any]) -> None:
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype="uint32"), *rest))
    random.setstate(states["python"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
    torch.set_rng_state(states["torch"])
