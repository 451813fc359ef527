"""Forecast errors and costs on real data, against statistical models and plain neuralforecast.

    python benchmarks/accuracy.py                      # us_employment, which is shipped
    python benchmarks/accuracy.py nyc_weather          # hourly, with two seasons; shipped
    python benchmarks/accuracy.py m3_monthly=m3.parquet cgm_hall=cgm.parquet --folder out
    python benchmarks/accuracy.py --plain NHITS        # against neuralforecast's defaults
    python benchmarks/accuracy.py --quick              # does the program work? poor errors

Each set is a real run with benchmarks/configs/<set>.yaml. us_employment and cgm_hall are scored by
the run's own back-tests (three windows at the end of each series); of m3_monthly (columns split
and unique_id, ds, y) the run sees the training part only, and its forecasts are scored on the test
part. With --folder everything is kept there, and a run that is there already is only scored.
docs/accuracy.md has results.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from measuring import PROJECT, PYTHON, run, snakemake, table

CONFIGS = Path(__file__).parent / "configs"
SHIPPED = {
    "us_employment": PROJECT / "data" / "us_employment_monthly.csv",
    "nyc_weather": PROJECT / "data" / "nyc_weather_hourly.csv",
}
METRICS = ["MAE", "sMAPE", "MASE"]
#: Steps and series of --quick.
STEPS, SERIES = 5, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ", ".join(
        sorted(path.stem for path in CONFIGS.glob("*.yaml") if not path.stem.startswith("suite"))
    )
    parser.add_argument("sets", nargs="*", metavar="SET[=FILE]", help=f"among {names}")
    parser.add_argument("--folder", type=Path, help="where runs are kept")
    parser.add_argument("--plain", nargs="+", default=[], metavar="MODEL")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="accuracy-"))
    for item in options.sets or ["us_employment"]:
        name, _, file = item.partition("=")
        if not (CONFIGS / f"{name}.yaml").is_file():
            parser.error(f"there is no set '{name}', only {names}")
        if not file and name not in SHIPPED:
            parser.error(f"{name} is not shipped, give its file: {name}=FILE")
        place = (folder / name).absolute()
        place.mkdir(parents=True, exist_ok=True)
        measure(name, read(Path(file) if file else SHIPPED[name], options.quick), place, options)


def read(path: Path, quick: bool) -> pd.DataFrame:
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    frame["ds"] = pd.to_datetime(frame["ds"])
    frame = frame[[c for c in ("unique_id", "ds", "y", "split") if c in frame.columns]]
    return frame[frame["unique_id"].isin(frame["unique_id"].unique()[:SERIES])] if quick else frame


def measure(name: str, frame: pd.DataFrame, place: Path, options: argparse.Namespace) -> None:
    """Run, score and print one set."""
    settings = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    settings |= {"reuse": False}
    if options.quick:
        settings["max_steps"] = STEPS
        for model in settings["models"]:
            model.get("params", {}).pop("max_steps", None) if isinstance(model, dict) else None
    test = None
    if "split" in frame.columns:
        test = frame[frame["split"] == "test"].drop(columns="split")
        frame = frame[frame["split"] == "train"].drop(columns="split")
    cost = forerun(name, frame, settings, place)
    result = place / "runs" / name
    rows = by_backtest(result) if test is None else by_test(result, frame, test, settings)
    for model in options.plain:
        rows.append(plain(model, frame, test, settings, place, STEPS if options.quick else 1000))
    series = frame["unique_id"].nunique()
    print(f"\n{name}: {series} series, horizon {settings['horizon']}")
    print(f"The whole run took {cost['wall']:.0f} s, CPU {cost['cpu']:.0f} s.\n")
    columns = [
        c for c in rows[0] if any(row[c] == row[c] for row in rows)
    ]  # without columns of NaN
    table([{c: row[c] for c in columns} for row in sorted(rows, key=lambda row: row["MAE"])])


def forerun(
    name: str, frame: pd.DataFrame, settings: dict[str, Any], place: Path
) -> dict[str, float]:
    """Make the run unless it exists; return its costs."""
    costs = place / "cost.json"
    if not costs.is_file():
        frame.to_parquet(place / "table.parquet", index=False)
        (place / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        options = ["--configfile", "settings.yaml", "--config"]
        options.append(f"data_file={place / 'table.parquet'}")
        spent = run(snakemake(f"runs/{name}/predictions", *options), place)
        costs.write_text(json.dumps({"wall": spent.wall, "cpu": spent.cpu}), encoding="utf-8")
    return dict(json.loads(costs.read_text(encoding="utf-8")))


def seconds(result: Path) -> dict[str, float]:
    """CPU seconds of each model: its final fit and those of its back-test."""
    spent: dict[str, float] = {}
    for path in result.glob("parts/*/*.json"):
        outcome = json.loads(path.read_text(encoding="utf-8"))
        spent[path.parent.name] = spent.get(path.parent.name, 0.0) + (
            outcome.get("cpu_seconds") or 0.0
        )
    return spent


def by_backtest(result: Path) -> list[dict[str, Any]]:
    """Errors of the run's leaderboard; sMAPE in percent, from 0 to 100."""
    board = pd.read_csv(result / "leaderboard.csv", index_col="model")
    spent, rows = seconds(result), []
    for model, line in board.iterrows():
        smape = 100 * line["smape"] if "smape" in board else np.nan
        mase = line.get("mase", np.nan)
        errors = dict(zip(METRICS, [line["mae"], smape, mase], strict=True))
        rows.append({"model": str(model), **errors, "CPU s": spent.get(str(model), "")})
    return rows


def by_test(
    result: Path, train: pd.DataFrame, test: pd.DataFrame, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """Errors of the run's forecasts on the test part."""
    spent, rows = seconds(result), []
    tables = (result / "predictions").glob("*.csv")
    for path in sorted(path for path in tables if path.stem != "all"):
        forecast = pd.read_csv(path, parse_dates=["ds"], dtype={"unique_id": str})
        errors = score(forecast, path.stem, train, test, settings["season_length"])
        rows.append({"model": path.stem, **errors, "CPU s": spent.get(path.stem, "")})
    return rows


def score(
    forecast: pd.DataFrame, model: str, train: pd.DataFrame, test: pd.DataFrame, season: int
) -> dict[str, float]:
    """MAE, sMAPE (half of the M3 competition's: 0 to 100) and MASE: means over the series."""
    joined = test.merge(forecast[["unique_id", "ds", model]], on=["unique_id", "ds"], how="left")
    assert joined[model].notna().all(), f"{model} has no forecast for some steps"
    size = joined["y"].abs() + joined[model].abs()
    error = (joined["y"] - joined[model]).abs()
    naive = train["y"].sub(train.groupby("unique_id")["y"].shift(season)).abs()
    scale = naive.groupby(train["unique_id"]).mean()
    mae = error.groupby(joined["unique_id"]).mean()
    smape = (100 * error / size).groupby(joined["unique_id"]).mean()
    mase = (mae / scale.reindex(mae.index)).replace(np.inf, np.nan)
    return {"MAE": float(mae.mean()), "sMAPE": float(smape.mean()), "MASE": float(mase.mean())}


def plain(
    model: str,
    frame: pd.DataFrame,
    test: pd.DataFrame | None,
    settings: dict[str, Any],
    place: Path,
    steps: int,
) -> dict[str, Any]:
    """Fit a model once as neuralforecast does by default: identity scaler, 1,000 steps."""
    whole = frame if test is None else pd.concat([frame, test]).sort_values(["unique_id", "ds"])
    windows = settings["n_windows"] if test is None else 1
    whole.to_parquet(place / "plain.parquet", index=False)
    wanted = {"h": settings["horizon"], "input_size": settings["input_size"], "max_steps": steps}
    given = json.dumps([model, windows, wanted])
    out = place / f"plain_{model}.parquet"
    spent = run([PYTHON, "-c", PLAIN, given, str(place / "plain.parquet"), str(out)], place)
    cv = pd.read_parquet(out)
    season = int(settings.get("season_length") or 12)
    held_out = whole[whole["ds"] > whole["unique_id"].map(cv.groupby("unique_id")["cutoff"].min())]
    seen = whole.drop(held_out.index) if test is None else frame
    errors = score(cv, model, seen.reset_index(drop=True), held_out, season)
    return {"model": f"plain {model}", **errors, "CPU s": spent.cpu}


#: A short script; its time includes the imports of neuralforecast.
PLAIN = """
import json, sys
import pandas as pd
from neuralforecast import NeuralForecast, models
name, windows, given = json.loads(sys.argv[1])
table = pd.read_parquet(sys.argv[2])
freq = pd.infer_freq(table["ds"][table["unique_id"] == table["unique_id"].iloc[0]])
quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
model = getattr(models, name)(**given, **quiet, enable_model_summary=False, accelerator="cpu")
library = NeuralForecast(models=[model], freq=freq)
cv = library.cross_validation(df=table, n_windows=windows, step_size=given["h"])
cv.to_parquet(sys.argv[3], index=False)
"""

if __name__ == "__main__":
    main()
