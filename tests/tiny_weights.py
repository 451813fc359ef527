"""Tiny pretrained models with random weights, in the format of the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

QUANTILES = [round(0.1 * number, 1) for number in range(1, 10)]


def _save(model: Any, folder: Path, seed: int) -> Path:
    """Save a model with weights large enough for its inputs to matter."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(0.3 * torch.randn(weights.shape, generator=generator))
    model.save_pretrained(folder)
    return folder


def chronos_2(folder: Path, seed: int = 1) -> Path:
    """Write a Chronos-2 of 10,000 weights."""
    from chronos import Chronos2Model
    from chronos.chronos2.config import Chronos2CoreConfig

    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    patches = {"input_patch_size": 4, "input_patch_stride": 4, "output_patch_size": 4}
    config = Chronos2CoreConfig(
        **sizes,
        chronos_pipeline_class="Chronos2Pipeline",
        chronos_config={"context_length": 48, "quantiles": QUANTILES, "max_output_patches": 4}
        | {"use_reg_token": True, "use_arcsinh": True, "time_encoding_scale": 48}
        | patches,
    )
    return _save(Chronos2Model(config), folder, seed)


def chronos_bolt(folder: Path, seed: int = 1) -> Path:
    """Write a Chronos-Bolt of 10,000 weights."""
    from chronos.chronos_bolt import ChronosBoltModelForForecasting
    from transformers import T5Config

    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    config = T5Config(
        **sizes,
        decoder_start_token_id=0,
        chronos_pipeline_class="ChronosBoltPipeline",
        chronos_config={"context_length": 48, "prediction_length": 8, "quantiles": QUANTILES}
        | {"input_patch_size": 4, "input_patch_stride": 4, "use_reg_token": True},
    )
    return _save(ChronosBoltModelForForecasting(config), folder, seed)


def timesfm(folder: Path, seed: int = 1) -> Path:
    """Write a TimesFM 2.5 of 20,000 weights."""
    from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

    config = TimesFm2_5Config(
        patch_length=4, context_length=48, horizon_length=8, num_hidden_layers=1, hidden_size=16,
        intermediate_size=16, head_dim=8, num_attention_heads=2, num_key_value_heads=2,
        output_quantile_len=8, max_position_embeddings=48,
    )  # fmt: skip
    return _save(TimesFm2_5ModelForPrediction(config), folder, seed)


def fracast() -> Path:
    """Return the weights in the package of Fracast, trained ones."""
    from importlib import resources

    return Path(str(resources.files("fracast"))) / "weights"


def folders(place: Path) -> dict[str, Path]:
    """Write the weights of every model into folders of `place`; return the folders."""
    made = {name: make(place / name) for name, make in MAKERS.items()}
    return made | {"Fracast": fracast()}


MAKERS = {"Chronos2": chronos_2, "ChronosBolt": chronos_bolt, "TimesFM": timesfm}
