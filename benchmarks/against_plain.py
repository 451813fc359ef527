"""Forerun against a plain neuralforecast script: the same work, run in turn.

    python benchmarks/against_plain.py --steps 100 --times 3

NBEATS, NHITS and LSTM, fitted and cross-validated on us_employment. Rows: the plain script; Forerun
with the same settings; Forerun without the preloaded process. With --defaults: neuralforecast's own
defaults against Forerun's own, each with its errors.
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
#: The window settings of neuralforecast's models themselves: 1024 windows, 128 for recurrent ones.
OWN = {"NBEATS": 1024, "NHITS": 1024, "LSTM": 128}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--fresh", action="store_true", help="also without the preloaded process")
    parser.add_argument("--defaults", action="store_true")
    wish = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="against-plain-"))
    errors: dict[str, pd.Series] = {}

    def plain(number: int) -> Cost:
        place = folder / f"plain_{number}"
        place.mkdir()
        command = [PYTHON, str(PROJECT / "benchmarks" / "plain.py"), str(DATA)]
        command += ["--models", *wish.models]
        cost = run([*command, *([] if wish.defaults else ["--steps", str(wish.steps)])], place)
        cv = pd.read_csv(place / "cv.csv")
        errors["plain"] = (cv[wish.models].sub(cv["y"], axis=0)).abs().mean()
        return cost

    def workflow(name: str, **variables: str) -> Cost:
        place = folder / name
        place.mkdir()
        (place / "settings.yaml").write_text(settings(wish))
        target = f"runs/{name}/predictions"
        options = ["--config", f"data_file={DATA}", "--configfile", "settings.yaml"]
        cost = run(snakemake(target, *options), place, **variables)
        board = pd.read_csv(place / f"runs/{name}/leaderboard.csv", index_col="model")
        errors["forerun"] = board["mae"].reindex(wish.models)
        return cost

    ways = {"plain": plain, "forerun": lambda n: workflow(f"run_{n}")}
    if wish.fresh:
        ways["without preloading"] = lambda n: workflow(f"fresh_{n}", FORERUN_PRELOAD="off")
    try:
        table(compared(in_turn(ways, wish.times), "plain"))
        print("\nMean absolute error of cross-validation:\n")
        table([{"": name, **{m: float(e[m]) for m in wish.models}} for name, e in errors.items()])
    finally:
        shutil.rmtree(folder)


def settings(wish: argparse.Namespace) -> str:
    """The configuration: Forerun's defaults, or what the plain script does."""
    lines = ["metrics: [mae]", "baselines: []", "reuse: false"]
    if wish.defaults:
        lines.append(f"models: [{', '.join(wish.models)}]")
        return "\n".join(lines) + "\n"
    lines += [f"max_steps: {wish.steps}", "models:"]
    for name in wish.models:
        params = f"{{scaler_type: identity, windows_batch_size: {OWN.get(name, 1024)}}}"
        lines.append(f"  - {{name: {name}, params: {params}}}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
