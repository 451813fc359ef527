"""Data of a deployment that grow with each call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from forerun.base.files import write_text
from forerun.config.settings import read_frozen
from forerun.deployments import actuals, changes, scores
from forerun.deployments import origins as origins_module
from forerun.deployments.folder import Deployment, append, appointment
from forerun.deployments.runs import main_model
from forerun.deployments.settings import Settings
from forerun.forecasting.choice import choose

#: Days of the data that the run was trained on, and of the whole table.
TRAINED, ALL = 60, 88


def until(day: int, name: str = "sales.csv") -> str:
    """Write the first days of the whole table; return the name of the file."""
    whole = pd.read_csv("all.csv")
    days = sorted(whole["ds"].unique())[:day]
    whole[whole["ds"].isin(days)].to_csv(name, index=False)
    return name


def make_deployment(run: Path, origins: int = 8, name: str = "weekly") -> Deployment:
    """Write a deployment of a synthetic run (tests/synthetic.py) with made-up forecasts, scored.

    Monthly origins from the end of the run's data on; the last one has no values yet.
    """
    one = Deployment(run.parent.parent, name)
    data = pd.read_parquet(run / "data.parquet", columns=["unique_id", "ds", "y"])
    settings = read_frozen(run / "config.yaml")
    one.folder.mkdir(parents=True)
    given = {"data_file": "t.csv", "horizon": settings["horizon"], "every": "1M"}
    write_text(one.config, yaml.safe_dump(Settings.of(given).as_dict()))
    append(one.champions, appointment(one, run.name, "deploy", why="the first"))
    append(one.champions, appointment(one, run.name, "promote", figures={"p_value": 0.01}))
    random = np.random.default_rng(3)
    names, end, horizon = data["unique_id"].unique(), data["ds"].max(), settings["horizon"]
    times = pd.date_range(end, periods=origins + horizon + 1, freq=settings["freq"])
    later = pd.DataFrame(
        [(name, time) for name in names for time in times[1:]], columns=["unique_id", "ds"]
    )
    level = data.groupby("unique_id")["y"].mean()
    later["y"] = later["unique_id"].map(level) + random.normal(0, 3, len(later))
    choice = choose(run, settings)
    models = (main_model(run, choice, None), 2.0), ("SeasonalNaive", 5.0)
    for place in range(origins):
        window = later[later["ds"].isin(times[place + 1 : place + 1 + horizon])]
        frames = {}
        for model, spread in models:
            point = window["y"] + random.normal(0, spread, len(window))
            frame = window[["unique_id", "ds"]].assign(**{model: point})
            sides = {f"{model}-lo-80": point - 4, f"{model}-hi-80": point + 4}
            frames[model] = frame.assign(**sides)
        table = origins_module.long_table(frames, times[place], run.name, "champion", [80])
        history = pd.concat([data, later[later["ds"] <= times[place]]])
        history = history.sort_values(["unique_id", "ds"], ignore_index=True)
        record = {"end": table["ds"].max().isoformat(), "kind": "live", "problems": []}
        record["changes"] = {"new": ["<b>bold"], "restated": 2} if place == 3 else {}
        folder = origins_module.origin_of(one, times[place])
        origins_module.write(folder, table, changes.describe(history, 12), record)
    values = later[later["ds"] <= times[origins - 1]]
    actuals.write(one, actuals.compare(one, pd.concat([data, values])), "x")
    scores.update(one)
    return one
