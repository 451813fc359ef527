"""Old, unversioned output folders, which directly contain ``models/``, ``metrics.csv``..."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_RESULTS = ("metrics.csv", "cv_results_*.csv", "predictions*.csv", "leaderboard.csv")
_FOLDERS = ("models", "predictions", "plots", "lightning_logs")


def old_files(output: Path) -> list[str]:
    """Return the names in an output folder that belong to the unversioned structure, sorted.

    Empty without ``models/``, ``metrics.csv`` or ``cv_results_*.csv``.
    """
    certain = [*output.glob("metrics.csv"), *output.glob("cv_results_*.csv")]
    if has_models(output):
        certain.append(output / "models")
    if not certain:
        return []
    found = {path.name for pattern in _RESULTS for path in output.glob(pattern)}
    found |= {name for name in _FOLDERS if (output / name).is_dir()}
    return sorted(found)


def has_models(output: Path) -> bool:
    """Return whether NeuralForecast has saved models directly in an output folder."""
    return (output / "models").is_dir() and bool(model_folders(output / "models"))


def model_folders(models: Path) -> list[Path]:
    """Return the folders with models saved by NeuralForecast: `models` itself, or its children."""
    marks = ("configuration.json", "configuration.pkl", "*.ckpt", "*.safetensors")
    candidates = [models, *sorted(path for path in models.iterdir() if path.is_dir())]
    return [folder for folder in candidates if any(any(folder.glob(mark)) for mark in marks)]


def model_names(models: Path) -> list[str]:
    """Return the names of the saved models, from the names of their files."""
    names = []
    for folder in model_folders(models) if models.is_dir() else []:
        for file in sorted([*folder.glob("*.ckpt"), *folder.glob("*.safetensors")]):
            if not file.name.startswith(("dataset.", "configuration.")):
                names.append(file.stem.rpartition("_")[0] or file.stem)
    return list(dict.fromkeys(names))


def load_models(models: Path, trust: bool) -> Iterator[Any]:
    """Load models saved by NeuralForecast from a folder.

    Raises
    ------
    UserError
        The files are pickles, which may execute any code, and `trust` is false; or this version of
        NeuralForecast cannot load them.
    """
    folders = model_folders(models)
    if not folders:
        raise UserError(f"{models}: contains no models saved by NeuralForecast")
    pickles = [p for f in folders for p in [*f.glob("*.pkl"), *f.glob("*.ckpt")]]
    if pickles and not trust:
        raise UserError(
            f"{models}: the models are pickles (such as {pickles[0].name}), and loading a pickle "
            "executes any code in it; if you trust their origin, use --trust"
        )
    from neuralforecast import NeuralForecast

    for folder in folders:
        try:
            with warnings.catch_warnings():  # the pickles are trusted
                warnings.filterwarnings("ignore", message="Reading .* with pickle")
                loaded = NeuralForecast.load(str(folder), allow_pickle=trust)
        except Exception as error:
            import neuralforecast

            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"{folder}: NeuralForecast {neuralforecast.__version__} cannot load a model of an "
                f"older version ({type(error).__name__}: {reason}); train again, or use the "
                "version that saved it"
            ) from error
        yield loaded


def forecasts(models: Path, trust: bool) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return each saved model's forecasts for the data saved with it, and that data."""
    frames: dict[str, pd.DataFrame] = {}
    past = None
    for fitted in load_models(models, trust):
        if getattr(fitted, "dataset", None) is None:
            raise UserError(f"{models}: was saved without its data; train again with these data")
        for model in fitted.models:
            model.trainer_kwargs |= {"logger": False, "enable_progress_bar": False}
        frame = fitted.predict()
        frame = frame.reset_index() if "unique_id" not in frame.columns else frame
        frame["unique_id"] = frame["unique_id"].astype(str)
        for model in map(str, fitted.models):
            columns = [c for c in frame.columns if c == model or c.startswith(f"{model}-")]
            part = frame[["unique_id", "ds", *columns]]
            if model not in columns and f"{model}-median" in columns:
                part = part.rename(columns={f"{model}-median": model})
            frames[model] = part
        past = _history(fitted) if past is None else past
    assert past is not None
    return frames, past


def _history(fitted: Any) -> pd.DataFrame:
    """Return ``unique_id, ds, y`` of the data that NeuralForecast saved."""
    import numpy as np
    import pandas as pd

    sizes = np.diff(fitted.dataset.indptr)
    ids = np.repeat(np.asarray(fitted.uids, dtype=str), sizes)
    y = np.asarray(fitted.dataset.temporal)[:, 0]
    return pd.DataFrame({"unique_id": ids, "ds": np.asarray(fitted.ds), "y": y})
