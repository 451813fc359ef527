"""Chronos-2 and Chronos-Bolt, from chronos-forecasting."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from forerun.base.scratch import machine_folder
from forerun.forecasting.engines.base import ForecastError
from forerun.forecasting.engines.pretrained_families import (
    Family,
    Task,
    batches,
    offline,
    padded,
)

offline()
with suppress(ImportError):  # takes seconds: once, in the process that forks the others
    import chronos

if TYPE_CHECKING:
    from forerun.forecasting.engines.base import Progress
    from forerun.forecasting.engines.pretrained_families import Floats

#: Arguments for reading a model: only local files, in a format that cannot execute code.
READ = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
#: Default learning rates of fine-tuning, those of the library.
RATE, LORA_RATE = 1e-6, 1e-5


def _read_2(folder: Path, device: str) -> Any:
    model = chronos.Chronos2Model.from_pretrained(folder, dtype=torch.float32, **READ)
    return chronos.Chronos2Pipeline(model.to(device).eval())


def _inputs(tasks: list[Task]) -> list[dict[str, Any]]:
    return [
        {"target": task.target, "past_covariates": task.past, "future_covariates": task.known}
        for task in tasks
    ]


def _forecast_2(pipeline: Any, tasks: list[Task], steps: int, size: int) -> Floats:
    with warnings.catch_warnings(action="ignore"):  # the library warns of long horizons
        found = pipeline.predict(_inputs(tasks), prediction_length=steps, batch_size=size)
    return np.stack([one[0].double().cpu().numpy().T for one in found])


def _tune_2(
    pipeline: Any,
    tasks: list[Task],
    known: list[str],
    steps: int,
    params: Mapping[str, Any],
    seed: int,
    progress: Progress,
) -> Any:
    """Return a fine-tuned copy; with ``lora`` the trained difference is merged into the weights."""
    from transformers import set_seed

    lora, most = bool(params.get("lora")), int(params["max_steps"])
    set_seed(seed)
    inputs = _inputs(tasks)
    for one in inputs:  # which covariates are known; the values are those of the past
        one["future_covariates"] = dict.fromkeys(known)
    with (
        tempfile.TemporaryDirectory(prefix="forerun-tuning-", dir=machine_folder()) as folder,
        warnings.catch_warnings(action="ignore"),
    ):
        tuned = pipeline.fit(
            inputs,
            prediction_length=steps,
            finetune_mode="lora" if lora else "full",
            context_length=params.get("context_length"),
            learning_rate=float(params.get("learning_rate") or (LORA_RATE if lora else RATE)),
            num_steps=most,
            batch_size=int(params.get("batch_size") or 256),
            output_dir=folder,
            callbacks=[_report(progress, most)],
            remove_printer_callback=True,
            seed=seed,
            disable_tqdm=True,
            logging_steps=max(1, most // 20),
            dataloader_pin_memory=False,
        )
    model = tuned.model.merge_and_unload() if lora else tuned.model
    if not all(bool(torch.isfinite(one).all()) for one in model.parameters()):
        raise ForecastError("fine-tuning ended with NaN or infinite weights; lower learning_rate")
    return chronos.Chronos2Pipeline(model.eval())


def _report(progress: Progress, most: int) -> Any:
    from transformers import TrainerCallback

    class Report(TrainerCallback):
        """Reports the step, and the loss if it was logged."""

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
            progress(state.global_step, most, losses[-1] if losses else None)

    return Report()


def _write_2(pipeline: Any, folder: Path) -> None:
    pipeline.model.save_pretrained(folder)


def _read_bolt(folder: Path, device: str) -> Any:
    from chronos.chronos_bolt import ChronosBoltModelForForecasting

    model = ChronosBoltModelForForecasting.from_pretrained(folder, dtype=torch.float32, **READ)
    return chronos.ChronosBoltPipeline(model.to(device).eval())


def _forecast_bolt(pipeline: Any, tasks: list[Task], steps: int, size: int) -> Floats:
    found = []
    for some in batches(len(tasks), size):
        rows = torch.tensor(padded([task.target for task in tasks[some]]), dtype=torch.float32)
        with warnings.catch_warnings(action="ignore"):
            quantiles = pipeline.predict(rows, prediction_length=steps)
        found.append(quantiles.double().cpu().numpy().transpose(0, 2, 1))
    return np.concatenate(found)


CHRONOS2 = Family(
    "Chronos2",
    "Chronos-2 of Amazon: encoder that takes past and known covariates",
    ("chronos-forecasting", "transformers", "torch"),
    _read_2,
    lambda pipeline: pipeline.quantiles,
    _forecast_2,
    covariates=True,
    tune=_tune_2,
    write=_write_2,
)
CHRONOS_BOLT = Family(
    "ChronosBolt",
    "Chronos-Bolt of Amazon: encoder and decoder of patches of one series",
    ("chronos-forecasting", "transformers", "torch"),
    _read_bolt,
    lambda pipeline: pipeline.quantiles,
    _forecast_bolt,
)
