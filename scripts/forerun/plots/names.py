"""File names for series with any name, and the choice of series to plot."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forerun.config.names import COMBINED
from forerun.evaluation.scales import scale_by_series
from forerun.plots.frames import in_order, values

_LONGEST = 60
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def file_name(unique_id: object) -> str:
    """Return a unique name that is safe on all file systems.

    Letters, digits, ``.``, ``_`` and ``-`` are kept, accents are dropped. If the name was changed,
    eight digits of its sha256 are appended. Names that differ only in case remain different only in
    case; :func:`file_names` handles them.
    """
    whole = str(unique_id)
    plain = unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode()
    plain = _UNSAFE.sub("-", plain)[:_LONGEST].strip("-.")
    return plain if plain and plain == whole else f"{plain or 'series'}-{_digest(whole)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def file_names(unique_ids: Iterable[object]) -> dict[str, str]:
    """Return a file name for each series, unique even if case is ignored."""
    names = {str(value): file_name(value) for value in unique_ids}
    folded: dict[str, int] = {}
    for name in names.values():
        folded[name.casefold()] = folded.get(name.casefold(), 0) + 1
    return {
        whole: name if folded[name.casefold()] == 1 or name.endswith(f"-{_digest(whole)}")
        else f"{name}-{_digest(whole)}"
        for whole, name in names.items()
    }  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """A series to plot, and why."""

    unique_id: str
    role: str
    error: float | None


def series_errors(cv: pd.DataFrame, model: str, history: pd.DataFrame, season: int) -> pd.Series:
    """Return the scaled mean absolute error of the model for each series, best first.

    Errors are divided by those of the seasonal naive forecast, to make series comparable.
    """
    error = np.abs(values(cv, "y") - values(cv, model))
    ids = cv["unique_id"].astype(str)
    per_series = pd.Series(error, index=ids.to_numpy()).groupby(level=0).mean().dropna()
    scale = scale_by_series(in_order(history), season)
    result = per_series / scale.reindex(per_series.index).fillna(1.0)
    return result.sort_index().sort_values(kind="stable")


def choose_series(errors: pd.Series, everything: Sequence[str], count: int) -> list[Chosen]:
    """Choose series to draw: the best, the worst, and others spread evenly between them.

    Parameters
    ----------
    errors
        Error of each series, best first; may be empty.
    everything
        All series; those without an error come last.
    count
        Maximum number of series; if it is one, the median series.
    """
    rest = sorted(set(map(str, everything)) - set(errors.index))
    ranked = [*map(str, errors.index), *rest]
    total = len(ranked)
    count = max(0, min(count, total))
    pool = len(errors) if len(errors) >= count else total
    places = np.linspace(0, pool - 1, count).round().astype(int) if count > 1 else [pool // 2]
    chosen = []
    for place in list(dict.fromkeys(int(p) for p in places))[:count]:
        name = ranked[place]
        validated = place < len(errors)
        role = _role(place, len(errors)) if validated else "not validated"
        chosen.append(Chosen(name, role, float(errors.iloc[place]) if validated else None))
    return chosen


def _role(place: int, total: int) -> str:
    if total == 1:
        return "the only series"
    if place in (0, total - 1):
        return f"{'best' if place == 0 else 'worst'} of {total:,} series"
    return f"rank {place + 1:,} of {total:,} series by error"


def order_models(leaderboard: pd.DataFrame | None, *frames: Mapping[str, object]) -> list[str]:
    """Return all models: by rank on the leaderboard, ``ensemble`` and ``per_series`` at the end."""
    ranked: list[str] = []
    if leaderboard is not None and len(leaderboard):
        board = leaderboard
        if "rank" in board:
            rank = pd.to_numeric(board["rank"], errors="coerce")
            board = board.assign(_rank=rank).sort_values("_rank", kind="stable")
        ranked = [str(model) for model in board["model"]]
    ordered = list(dict.fromkeys([*ranked, *(model for part in frames for model in part)]))
    return [m for m in ordered if m not in COMBINED] + [
        m for m in reversed(COMBINED) if m in ordered
    ]


def axis_names(settings: Mapping[str, object] | None, times: pd.Series) -> tuple[str, str]:
    """Return the labels of the time and the value axis, from the names of the user's columns."""
    settings = settings or {}
    target = str(settings.get("target_col") or "y")
    time = str(settings.get("time_col") or "ds")
    if time == "ds":
        time = "Time" if pd.api.types.is_datetime64_any_dtype(times) else "Time step"
    return time, "Value (y)" if target == "y" else target
