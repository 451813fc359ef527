"""Coverage of statistical models: their own intervals, and conformal ones.

    python benchmarks/intervals.py                    # the shipped data sets, three windows each
    python benchmarks/intervals.py --folder out       # keeps the runs

Employment ends 36 and 72 months earlier, so that the windows of docs/accuracy.md are not used. Each
set is two runs with the same models, which differ in `statistical_intervals`. `scaled_crps` is the
pinball loss over the naive error, the lower the better.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
from measuring import PROJECT, forerun, run, table

MODELS = ("SeasonalNaive", "DynamicOptimizedTheta", "AutoETS", "MSTL")
LEVELS = (80, 95)
COLUMNS = [*(f"coverage_level{level}" for level in LEVELS), "scaled_crps"]


@dataclass(frozen=True)
class Set:
    """A shipped table, its horizon, the rows to leave out at each series' end, and the models."""

    file: str
    horizon: int
    without: int = 0
    models: tuple[str, ...] = MODELS


EMPLOYMENT, FLIGHTS = "us_employment_monthly.csv", "nyc_flights_daily.csv"
SETS = {
    "employment, 36 months earlier": Set(EMPLOYMENT, 12, 36),
    "employment, 72 months earlier": Set(EMPLOYMENT, 12, 72),
    "flights": Set(FLIGHTS, 14),
    "weather, hourly": Set("nyc_weather_hourly.csv", 24, models=(*MODELS[:2], "MSTL")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, help="where runs are kept; a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="intervals-") as temporary:
        folder = (asked.folder or Path(temporary)).absolute()
        rows = [row for number, name in enumerate(SETS) for row in compared(name, number, folder)]
    table(rows)


def compared(name: str, number: int, folder: Path) -> list[dict[str, str]]:
    """Return a row for each model of a set, with own and conformal intervals."""
    one, found = SETS[name], {}
    for how in ("own", "conformal"):
        place = folder / f"{number}-{how}"
        place.mkdir(parents=True, exist_ok=True)
        data = pd.read_csv(PROJECT / "data" / one.file)
        if one.without:
            data = data[data.groupby("unique_id").cumcount(ascending=False) >= one.without]
        data[["unique_id", "ds", "y"]].to_csv(place / "table.csv", index=False)
        settings = {"data_file": "table.csv", "horizon": one.horizon, "n_windows": 3}
        settings |= {"models": [], "baselines": list(one.models), "levels": list(LEVELS)}
        settings |= {"on_gaps": "fill", "plot_series": 0, "statistical_intervals": how}
        (place / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        run(forerun("train", "--run-id", "run", "--config", "settings.yaml"), place)
        board = pd.read_csv(place / "runs" / "run" / "leaderboard.csv", index_col="model")
        found[how] = board[COLUMNS]
    return [
        {"set": name, "model": model}
        | {
            f"{column}, {how}": f"{board.loc[model, column]:.4f}"
            for column in COLUMNS
            for how, board in found.items()
        }
        for model in one.models
    ]


if __name__ == "__main__":
    main()
