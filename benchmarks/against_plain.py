"""Forerun against a plain neuralforecast script: the same work, run in turn.

    python benchmarks/against_plain.py --steps 100 --times 3

NBEATS, NHITS and LSTM, fitted and cross-validated on us_employment. Rows: the plain script; the
same on one thread; Forerun with the same settings; with Forerun's own scaler and size of batches;
with --fresh also without the preloaded process. Without --steps as many as neuralforecast and
Forerun take by default: 1,000.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import pandas as pd
from measuring import PROJECT, PYTHON, Cost, compared, in_turn, run, snakemake, table

DATA = PROJECT / "data" / "us_employment_monthly.csv"
MODELS = ["NBEATS", "NHITS", "LSTM"]
#: The defaults of neuralforecast's models themselves; they differ for recurrent ones.
OWN = "scaler_type: identity, windows_batch_size: 1024"
OWN_RECURRENT = "scaler_type: robust, windows_batch_size: 128"
RECURRENT = ("LSTM", "GRU", "RNN")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--fresh", action="store_true", help="also without the preloaded process")
    parser.add_argument("--skip", nargs="+", default=[], metavar="ROW", help="rows to leave out")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="against-plain-"))
    errors: dict[str, pd.Series] = {}

    def plain(name: str, number: int, **variables: str) -> Cost:
        place = folder / f"{name}_{number}"
        place.mkdir()
        command = [PYTHON, str(PROJECT / "benchmarks" / "plain.py"), str(DATA)]
        command += ["--models", *args.models, "--steps", str(args.steps)]
        cost = run(command, place, **variables)
        cv = pd.read_csv(place / "cv.csv")
        errors[name] = (cv[args.models].sub(cv["y"], axis=0)).abs().mean()
        return cost

    def workflow(name: str, number: int, own: bool = False, **variables: str) -> Cost:
        place = folder / f"{name}_{number}"
        place.mkdir()
        (place / "settings.yaml").write_text(settings(args.models, args.steps, own))
        options = ["--config", f"data_file={DATA}", "--configfile", "settings.yaml"]
        cost = run(snakemake("runs/x/predictions", *options), place, **variables)
        board = pd.read_csv(place / "runs/x/leaderboard.csv", index_col="model")
        errors[name] = board["mae"].reindex(args.models)
        return cost

    ways = {
        "plain": lambda n: plain("plain", n),
        "plain, one thread": lambda n: plain("plain, one thread", n, OMP_NUM_THREADS="1"),
        "forerun": lambda n: workflow("forerun", n),
        "forerun's own settings": lambda n: workflow("forerun's own settings", n, own=True),
    }
    if args.fresh:
        ways["without preloading"] = lambda n: workflow("fresh", n, FORERUN_PRELOAD="off")
    ways = {name: way for name, way in ways.items() if name not in args.skip}
    try:
        table(compared(in_turn(ways, args.times), "plain"))
        print("\nMean absolute error of cross-validation:\n")
        table([{"": name, **{m: float(e[m]) for m in args.models}} for name, e in errors.items()])
    finally:
        shutil.rmtree(folder)


def settings(models: list[str], steps: int, own: bool) -> str:
    """The configuration: Forerun's own scaler and size of batches, or those of the plain script."""
    lines = ["metrics: [mae]", "baselines: []", "reuse: false", f"max_steps: {steps}"]
    if own:
        lines.append(f"models: [{', '.join(models)}]")
        return "\n".join(lines) + "\n"
    lines.append("models:")
    for name in models:
        params = OWN_RECURRENT if name in RECURRENT else OWN
        lines.append(f"  - {{name: {name}, params: {{{params}}}}}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
