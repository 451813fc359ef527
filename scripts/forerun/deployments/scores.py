"""Scores of each origin, computed when actual values arrive and again when they are restated.

``scores/<origin>.parquet`` has a row for each forecast value and each vintage of its actual value,
with all inputs of the losses, and the change since the previous origin's forecast of the same time.
:mod:`forerun.deployments.summaries` writes their means, ``scores.csv`` and ``scores.parquet``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from forerun.base.bounded import Damaged
from forerun.base.errors import UserError
from forerun.base.files import replacing
from forerun.base.terminal import echo
from forerun.deployments import actuals, summaries
from forerun.deployments.folder import Deployment
from forerun.deployments.losses import losses, with_changes
from forerun.deployments.origins import Origin, origins
from forerun.deployments.periods import parse_time
from forerun.runs.tables import read_frame

#: Format version of the scores of an origin; those in another format are rewritten.
FORM = 3
#: Number of origins scored before summaries and a line of progress are written.
BATCH = 100
#: Value of the column ``model`` for manual adjustments.
ADJUSTED = "adjusted"


@dataclass(frozen=True)
class Due:
    """An origin to score.

    Attributes
    ----------
    before : the previous origin
    values : all vintages of the forecast times: ``unique_id, ds, y, as_of``
    adjusted : manual adjustments: ``origin, unique_id, ds, value``
    state : inputs of its scores; scores with the same state are kept
    """

    origin: Origin
    before: Origin | None
    values: pd.DataFrame
    adjusted: pd.DataFrame
    state: summaries.State


def update(deployment: Deployment) -> list[str]:
    """Score every origin with new values and write the summaries.

    Scoring an origin rewrites no file of another one. Its rows in ``scores.parquet`` are written
    last, so an interrupted origin is due again. Returns the names of the scored origins.
    """
    adjusted = read_adjustments(deployment)
    due = list(_due(deployment, adjusted))
    forecasts: dict[str, pd.DataFrame] = {}
    for start in range(0, len(due), BATCH):
        means = []
        for one in due[start : start + BATCH]:
            forecasts = _forecasts(one, forecasts)
            table = _detail(one, forecasts)
            _write(deployment.scores / f"{one.origin.name}.parquet", table)
            table = newest(table)
            means.append(summaries.of(losses(table, table["scale"]), one.state))
        summaries.write(deployment, means)
        if len(due) > BATCH:
            echo(f"scored {min(start + BATCH, len(due))} of {len(due)} origins")
    return [one.origin.name for one in due]


def _due(deployment: Deployment, adjusted: pd.DataFrame) -> Iterator[Due]:
    """Yield the origins whose scores are missing or have another state, oldest first."""
    every = actuals.read(deployment).sort_values("ds", kind="stable", ignore_index=True)
    times, existing = every["ds"].to_numpy(), origins(deployment)
    vintage, vintages = pd.factorize(every["as_of"], sort=True)
    scored = summaries.states(deployment)
    people = dict(iter(adjusted.groupby("origin")))
    none = adjusted.iloc[:0]
    for before, origin in zip([None, *existing], existing, strict=False):
        end = origin.record.get("end")
        if end is None:
            raise Damaged(f"{origin.folder}/record.json: is damaged; restore the file")
        dated = not isinstance(end, int)
        bounds = [parse_time(text, dated, "record.json") for text in (origin.name, end)]
        if dated:
            bounds = [np.datetime64(time, "ns") for time in bounds]
        first, last = np.searchsorted(times, bounds, side="right")
        if first == last:
            continue
        own = people.get(origin.name, none)
        state = summaries.State(
            origin.name, str(vintages[vintage[first:last].max()]), int(last - first), _mark(own),
            before.name if before else "", FORM,
        )  # fmt: skip
        path = deployment.scores / f"{origin.name}.parquet"
        if scored.get(origin.name) != state or not path.is_file():
            yield Due(origin, before, every.iloc[first:last], own, state)


def _mark(adjusted: pd.DataFrame) -> str:
    """Return a checksum of an origin's adjustments, or an empty string without any."""
    text = adjusted.to_csv(index=False) if len(adjusted) else ""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def _read(path: Path, only: list[tuple[str, str, list[str]]] | None) -> pd.DataFrame:
    try:
        # Columns without values have no type that a filter could compare with: after a gap the
        # actual values may have arrived of no step that was forecast.
        some = only if parquet.read_metadata(path).num_rows else None
        return pd.read_parquet(path, filters=some)
    except (OSError, ValueError, pa.ArrowException):
        raise Damaged(
            f"{path}: is not a table of scores; remove it and rerun 'forerun score'"
        ) from None


def _forecasts(one: Due, read: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the forecasts of an origin and of the previous one, by name, each read once."""
    wanted = [origin for origin in (one.before, one.origin) if origin is not None]
    return {
        origin.name: read[origin.name] if origin.name in read else origin.forecasts()
        for origin in wanted
    }


def _write(path: Path, table: pd.DataFrame) -> None:
    packed = pa.Table.from_pandas(table, preserve_index=False)
    with replacing(path) as temporary:
        parquet.write_table(packed, temporary, compression="zstd")


def _detail(one: Due, forecasts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of one origin, with all vintages of the actual values."""
    origin, series = one.origin, one.origin.series()
    before = forecasts[one.before.name] if one.before else None
    rows = with_changes(forecasts[origin.name], before)
    if len(one.adjusted):
        rows = pd.concat([rows, _as_forecasts(one.adjusted, rows)], ignore_index=True)
    table = rows.merge(one.values, on=["unique_id", "ds"], how="inner")
    scale = table["unique_id"].map(series.set_index("unique_id")["scale"])
    return table.assign(kind=origin.record.get("kind", "live"), scale=scale)


def _as_forecasts(own: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return adjusted values in the columns of the forecasts."""
    steps = forecasts[["origin", "unique_id", "ds", "step"]].drop_duplicates()
    values = own[["unique_id", "ds", "value"]]
    adjusted = values.merge(steps, on=["unique_id", "ds"], how="left")
    if (unknown := adjusted["step"].isna()).any():
        row = adjusted[unknown].iloc[0]
        raise UserError(
            f"adjustments.csv: origin {own['origin'].iloc[0]}, series '{row['unique_id']}', "
            f"{row['ds']}: was not forecast"
        )
    return adjusted.rename(columns={"value": "point"}).assign(
        model=ADJUSTED, run_id="", role="person"
    )


def read_adjustments(deployment: Deployment) -> pd.DataFrame:
    """Read ``adjustments.csv``: ``origin, unique_id, ds, value``."""
    path = deployment.adjustments
    if not path.is_file():
        return pd.DataFrame(columns=["origin", "unique_id", "ds", "value"])
    frame = read_frame(path, ("origin", "unique_id"), ("ds",), needed=("origin", "ds", "value"))
    unknown = set(frame["origin"]) - {one.name for one in origins(deployment)}
    if unknown:
        raise UserError(f"{path}: there is no origin {min(unknown)} in {deployment.forecasts}")
    twice = frame.duplicated(["origin", "unique_id", "ds"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise UserError(
            f"{path}: origin {row['origin']}, series '{row['unique_id']}', {row['ds']}: given twice"
        )
    return frame


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
    frames = [newest(_read(path, only)) for path in paths if path.is_file()]
    frames = [losses(frame, frame["scale"]) for frame in frames]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=summaries.GROUP)


def value_added(table: pd.DataFrame, run_id: str, chain: Mapping[str, str]) -> pd.DataFrame:
    """Return the forecast value added along a chain: seasonal naive -> model -> adjustments.

    Columns: ``step`` (name of the link), ``model``, ``n``, ``mae``, and ``gain``, the relative
    reduction of the error by this link, over the values that all links have forecast.

    Parameters
    ----------
    table : rows in their newest vintage, of :func:`read_detail`
    run_id : run of the models
    chain : name of a link -> model
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
