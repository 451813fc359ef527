"""The plain alternative: one neuralforecast script that fits, cross-validates and forecasts.

    python benchmarks/plain.py table.csv --steps 100 [--scaler robust] [--windows-batch 256] ...

Without options it uses neuralforecast's own defaults. It writes cv.csv, forecasts.csv and saved/ to
the current folder, as a user would.
"""

from __future__ import annotations

import argparse
import logging
import warnings

import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast import models as classes

warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--horizon", type=int, default=12)
    parser.add_argument("--input-size", type=int, default=48)
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--freq", default="MS")
    parser.add_argument("--models", nargs="+", default=["NBEATS", "NHITS", "LSTM"])
    parser.add_argument("--scaler")
    parser.add_argument("--windows-batch", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    given = {"scaler_type": args.scaler, "windows_batch_size": args.windows_batch}
    options = {name: value for name, value in given.items() if value is not None}
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    quiet |= {"enable_checkpointing": False, "accelerator": "cpu"}

    def build() -> NeuralForecast:
        models = [
            getattr(classes, name)(
                h=args.horizon,
                input_size=args.input_size,
                max_steps=args.steps,
                random_seed=args.seed,
                **options,
                **quiet,
            )
            for name in args.models
        ]
        return NeuralForecast(models=models, freq=args.freq)

    frame = pd.read_csv(args.table, parse_dates=["ds"])
    frame = frame[["unique_id", "ds", "y"]]
    cv = build().cross_validation(
        df=frame, n_windows=args.windows, step_size=args.horizon, refit=False
    )
    cv.to_csv("cv.csv", index=False)
    fitted = build()
    fitted.fit(df=frame)
    fitted.save("saved", save_dataset=False, overwrite=True)
    fitted.predict(df=frame).to_csv("forecasts.csv", index=False)
    errors = {name: (cv[name] - cv["y"]).abs().mean() for name in args.models}
    print(" ".join(f"{name} {error:.4f}" for name, error in errors.items()))


if __name__ == "__main__":
    main()
