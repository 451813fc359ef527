"""Scores of each origin when the actual values arrive, and again when these are restated.

``scores/<origin>.parquet`` has a row for each forecast value and each vintage of its actual value,
with all that the losses of a step are computed from.
A row also says how much the forecast for the same time has changed since the origin before.
``scores.csv`` (by origin, step and model: means over series; step 0 is all steps) and
``scores.parquet`` (by origin, series and model: means over steps) take the newest vintage.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import replacing, sha256, write_csv, write_parquet
from forerun.base.terminal import write
from forerun.deployments import actuals
from forerun.deployments.folder import Deployment
from forerun.deployments.losses import CHANGES, LOSSES, losses, with_changes
from forerun.deployments.origins import Origin, origins
from forerun.deployments.periods import parse_time
from forerun.evaluation.losses import METRICS
from forerun.runs.tables import read_frame, read_plain

#: Form of ``scores/<origin>.parquet``; one in another form is written again.
FORM = 2
#: Origins between two lines of progress.
REPORTED = 100
#: What a person made of a forecast, in the column ``model``.
ADJUSTED = "adjusted"
GROUP = ["origin", "run_id", "model", "role", "kind"]
_META = b"forerun"


def update(deployment: Deployment) -> list[str]:
    """Score every origin for which values are new, and write the summaries.

    Returns the names of the origins that were scored.
    """
    every = actuals.read(deployment).sort_values("ds", kind="stable", ignore_index=True)
    adjusted, mark = read_adjustments(deployment)
    done: list[str] = []
    times = every["ds"].to_numpy()
    made = origins(deployment)
    for before, origin in zip([None, *made], made, strict=False):
        end = origin.record.get("end")
        if end is None:
            raise Damaged(f"{origin.folder}/record.json: is damaged; restore the file")
        dated = not isinstance(end, int)
        bounds = [parse_time(text, dated, "record.json") for text in (origin.name, end)]
        if dated:
            bounds = [np.datetime64(time, "ns") for time in bounds]
        first, last = np.searchsorted(times, bounds, side="right")
        values = every.iloc[first:last]
        if not len(values):
            continue
        state = {"as_of": str(values["as_of"].max()), "rows": len(values), "adjusted": mark}
        state |= {"before": before.name if before else "", "form": FORM}
        path = deployment.scores / f"{origin.name}.parquet"
        if _state(path) != state:
            _write(path, _detail(origin, before, values, adjusted), state)
            done.append(origin.name)
            if len(done) % REPORTED == 0:
                write(f"scored {len(done)} of {len(made)} origins")
    if done or (deployment.scores.is_dir() and not (deployment.folder / "scores.csv").is_file()):
        _summarize(deployment, done)
    return done


def _state(path: Path) -> dict[str, Any] | None:
    try:
        found = parquet.read_schema(path).metadata or {}
        return dict(json.loads(found[_META]))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None


def _write(path: Path, table: pd.DataFrame, state: dict[str, Any]) -> None:
    packed = pa.Table.from_pandas(table, preserve_index=False)
    mark = {_META: json.dumps(state).encode()}
    packed = packed.replace_schema_metadata({**(packed.schema.metadata or {}), **mark})
    with replacing(path) as temporary:
        parquet.write_table(packed, temporary, compression="zstd")


def _detail(
    origin: Origin, before: Origin | None, values: pd.DataFrame, adjusted: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of one origin, with all vintages of the actual values."""
    series = origin.series()
    forecasts = with_changes(origin.forecasts(), before.forecasts() if before else None)
    own = adjusted[adjusted["origin"] == origin.name]
    if len(own):
        forecasts = pd.concat([forecasts, _as_forecasts(own, forecasts)], ignore_index=True)
    table = forecasts.merge(values, on=["unique_id", "ds"], how="inner")
    scale = table["unique_id"].map(series.set_index("unique_id")["scale"])
    return table.assign(kind=origin.record.get("kind", "live"), scale=scale)


def _as_forecasts(own: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return adjusted values in the columns of the forecasts."""
    steps = forecasts[["origin", "unique_id", "ds", "step"]].drop_duplicates()
    made = steps.merge(own[["unique_id", "ds", "value"]], on=["unique_id", "ds"], how="inner")
    return made.rename(columns={"value": "point"}).assign(model=ADJUSTED, run_id="", role="person")


def read_adjustments(deployment: Deployment) -> tuple[pd.DataFrame, str]:
    """Read ``adjustments.csv``: ``origin, unique_id, ds, value``; and its checksum."""
    path = deployment.adjustments
    if not path.is_file():
        return pd.DataFrame(columns=["origin", "unique_id", "ds", "value"]), ""
    frame = read_frame(path, ("origin", "unique_id"), ("ds",), needed=("origin", "ds", "value"))
    twice = frame.duplicated(["origin", "unique_id", "ds"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise UserError(
            f"{path}: origin {row['origin']}, series '{row['unique_id']}', {row['ds']}: given twice"
        )
    return frame, sha256(path)


def newest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the newest vintage of each value, without values that were removed."""
    keys = ["origin", "unique_id", "ds", "model", "run_id"]
    last = table.sort_values("as_of", kind="stable").drop_duplicates(keys, keep="last")
    return last[last["y"].notna()]


def read_detail(
    deployment: Deployment,
    names: Iterable[str] | None = None,
    runs: Collection[str] | None = None,
) -> pd.DataFrame:
    """Read the rows of some origins and runs (all if not given) in their newest vintage."""
    only = None if runs is None else [("run_id", "in", list(runs))]
    wanted = [one.name for one in origins(deployment)] if names is None else list(names)
    paths = [deployment.scores / f"{name}.parquet" for name in wanted]
    frames = [newest(pd.read_parquet(path, filters=only)) for path in paths if path.is_file()]
    frames = [losses(frame, frame["scale"]) for frame in frames]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=GROUP)


# -- Summaries ----------------------------------------------------------------------------------


def means(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the mean of every metric, with ``n`` values each, by some columns."""
    groups = table.groupby(keys, sort=True, observed=True)
    made = groups.agg(n=("y", "size"), bias=("error", "mean"))
    for name, loss in LOSSES.items():
        value = groups[f"{loss}_step"].mean()
        made[name] = np.sqrt(value) if METRICS[name].root else value
    for column in [str(c) for c in table if str(c).startswith(("inside_", "width_"))]:
        made[column.replace("inside_", "coverage_")] = groups[column].mean()
    for name in CHANGES:
        if f"{name}_step" in table:
            made[name] = groups[f"{name}_step"].mean()
    return made.reset_index()


def _summarize(deployment: Deployment, names: list[str]) -> None:
    """Write the rows of these origins into both summaries; of all where there is none yet."""
    path = deployment.folder / "scores.parquet"
    before = _before(path, deployment.folder / "scores.csv")
    if before is None:
        names = [one.name for one in origins(deployment)]
    steps, series = [], []
    for name in names:
        table = read_detail(deployment, [name])
        if not len(table):
            continue
        whole = means(table, GROUP).assign(step=0)
        both = pd.concat([whole, means(table, [*GROUP, "step"])])
        steps.append(both.assign(as_of=table["as_of"].max()))
        series.append(means(table, [*GROUP, "unique_id"]).assign(as_of=table["as_of"].max()))
    by_step, by_series = before or (None, None)
    write_csv(deployment.folder / "scores.csv", _merge(by_step, steps, names))
    write_parquet(path, _single(_merge(by_series, series, names)))


def _single(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with numbers of 32 bits: one row for each series and origin is a lot."""
    return table.astype(dict.fromkeys(table.select_dtypes("float64"), "float32"))


def _before(path: Path, text: Path) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    try:
        return read_summary(text), pd.read_parquet(path)
    except (UserError, OSError, ValueError, pa.ArrowException):
        return None  # they are made from the scores of all origins again


def _merge(old: pd.DataFrame | None, new: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    from forerun.deployments.periods import origin_name

    if old is not None and len(old):
        kept = old[~old["origin"].map(origin_name).isin(names)]
        new = [kept, *new] if len(kept) else new
    if not new:
        return pd.DataFrame(columns=[*GROUP, "step", "n"])
    table = pd.concat(new, ignore_index=True)
    last = "step" if "step" in table else "unique_id"
    front = [*GROUP, last, "n"]
    table = table[[*front, *(name for name in table if name not in front)]]
    return table.sort_values([*GROUP, last], ignore_index=True)


def read_summary(path: Path) -> pd.DataFrame:
    """Read ``scores.csv``."""
    frame = read_plain(path, ("origin", "step", "model", "run_id", "mae"))
    named = [name for name in ("model", "run_id", "role", "kind") if name in frame]
    texts = {name: frame[name].fillna("").astype(str) for name in named}
    frame = frame.assign(**texts)
    if not pd.api.types.is_integer_dtype(frame["origin"]):
        frame["origin"] = pd.to_datetime(frame["origin"]).astype("datetime64[ns]")
    return frame


def summary(deployment: Deployment) -> pd.DataFrame:
    """Read ``scores.csv``; without rows where nothing is scored yet."""
    path = deployment.folder / "scores.csv"
    if not path.is_file():
        return pd.DataFrame(columns=[*GROUP, "step", "n"])
    return read_summary(path)


def whole_origins(table: pd.DataFrame, run_id: str, model: str) -> pd.DataFrame:
    """Return the rows of :func:`summary` about a model, all steps together, the newest last."""
    own = (table["run_id"] == run_id) & (table["model"] == model) & (table["step"] == 0)
    return table[own].sort_values("origin")


def value_added(table: pd.DataFrame, run_id: str, chain: Mapping[str, str]) -> pd.DataFrame:
    """Return the forecast value added along a chain: seasonal naive -> model -> person.

    Columns: ``step`` (name of the link), ``model``, ``n``, ``mae``, ``gain``: the share by which
    the error is smaller than that of the link before, over the values that all links have forecast.

    Parameters
    ----------
    table : rows in their newest vintage, of :func:`read_detail`
    run_id : the run whose models are meant
    chain : for each link's name its model
    """
    keys = ["origin", "unique_id", "ds"]
    sides: dict[str, pd.Series] = {}
    for link, model in chain.items():
        own = (table["run_id"] == run_id) | (table["model"] == ADJUSTED)
        rows = table[own & (table["model"] == model)]
        if len(rows):
            sides[link] = rows.drop_duplicates(keys).set_index(keys)["mae_step"]
    if not sides:
        return pd.DataFrame(columns=["step", "model", "n", "mae", "gain"])
    both = pd.concat(sides, axis=1, join="inner").dropna()
    errors = both.mean()
    gains = 1 - errors / errors.shift(1)
    return pd.DataFrame(
        {"step": list(errors.index), "model": [chain[link] for link in errors.index],
         "n": len(both), "mae": errors.to_numpy(), "gain": gains.to_numpy()}
    )  # fmt: skip
