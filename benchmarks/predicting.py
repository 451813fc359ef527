"""Forecasting with the models of a run against a plain script that loads and predicts.

    python benchmarks/predicting.py [--models 10] [--times 3] [--fresh]

The run has ten networks and two statistical models, and is sealed. The plain script is one process:
it loads each network from the run's folder and forecasts, and fits the statistical models to
forecast with them. Forerun verifies the models, forecasts, and writes the combinations as well;
once as `snakemake runs/x/predictions`, once as `predict`, and with --fresh also without the
preloaded process. All must give the same forecasts.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import pandas as pd
from measuring import PYTHON, Cost, compared, forerun, in_turn, run, snakemake, table, write_series
from planning import NAMES

STATISTICAL = ["SeasonalNaive", "AutoETS"]
HORIZON, SEASON = 7, 7
#: A short script; its time includes the imports.
PLAIN = """
import sys
import pandas as pd
from neuralforecast import NeuralForecast
from pathlib import Path
from statsforecast import StatsForecast, models
data, horizon, season, *names = sys.argv[1:]
table = pd.read_csv(data, parse_dates=["ds"])
Path("forecasts").mkdir()
for folder in sorted(Path("models").iterdir()):
    if folder.name not in names:
        library = NeuralForecast.load(str(folder))
        made = library.predict(df=table)
        made.to_csv(f"forecasts/{folder.name}.csv", index=False)
for name in names:
    library = StatsForecast(models=[getattr(models, name)(season_length=int(season))], freq="D")
    made = library.forecast(df=table, h=int(horizon))
    made.to_csv(f"forecasts/{name}.csv", index=False)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=int, default=10, help="networks, besides the two others")
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="predicting-"))
    made = folder / "runs" / "x"

    def plain(number: int) -> Cost:
        shutil.rmtree(made / "forecasts", ignore_errors=True)
        words = [str(folder / "table.csv"), str(HORIZON), str(SEASON), *STATISTICAL]
        return run([PYTHON, "-c", PLAIN, *words], made)

    def again(command: list[str], **variables: str) -> Cost:
        shutil.rmtree(made / "predictions")
        return run(command, folder, **variables)

    target = snakemake("runs/x/predictions", "--configfile", "settings.yaml")
    command = forerun("predict", "--run-id", "x", "--no-plot")
    ways = {
        "plain script": plain,
        "snakemake": lambda number: again(target),
        "predict": lambda number: again(command),
    }
    if options.fresh:
        off = {"FORERUN_PRELOAD": "off"}
        ways["snakemake, without preloading"] = lambda number: again(target, **off)
        ways["predict, without preloading"] = lambda number: again(command, **off)
    try:
        write_series(folder / "table.csv", options.series)
        (folder / "settings.yaml").write_text(settings(options.models))
        run(target, folder)
        table(compared(in_turn(ways, options.times), "plain script"))
        print(f"\nLargest difference of a forecast: {difference(made):g}")
    finally:
        shutil.rmtree(folder)


def settings(models: int) -> str:
    return (
        f"data_file: table.csv\nhorizon: {HORIZON}\nseason_length: {SEASON}\ninput_size: 14\n"
        f"max_steps: 2\nn_windows: 2\nmodels: [{', '.join(NAMES[:models])}]\n"
        f"baselines: [{', '.join(STATISTICAL)}]\n"
    )


def difference(made: Path) -> float:
    """The largest relative difference between the forecasts of both ways."""
    largest = 0.0
    for path in (made / "forecasts").iterdir():
        first, second = (pd.read_csv(p) for p in (path, made / "predictions" / path.name))
        joined = first.merge(second, on=["unique_id", "ds"], suffixes=("", "_"))
        assert len(joined) == len(first) == len(second), path
        gap = (joined[path.stem] - joined[f"{path.stem}_"]).abs() / joined[path.stem].abs()
        largest = max(largest, float(gap.max()))
    return largest


if __name__ == "__main__":
    main()
