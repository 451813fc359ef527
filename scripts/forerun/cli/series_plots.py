"""Plots of all models on one series, for ``predict``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.base.terminal import echo
from forerun.runs import state
from forerun.runs.tables import read_metrics

if TYPE_CHECKING:
    import pandas as pd

#: Folder of plots of selected series; not ``plots/``, which the workflow replaces as a whole.
COMPARISONS = "comparisons"


def draw(
    place: str,
    folder: Path,
    history: pd.DataFrame,
    frames: Mapping[str, pd.DataFrame],
    unique_id: str,
    settings: Mapping[str, Any],
    note: str,
) -> None:
    """Plot all models on one series to ``<place>/comparison_<unique_id>.png`` in the run.

    Existing files are not replaced: a number is appended to the name.
    """
    from forerun.plots.figures import comparison, file_name, looks, save
    from forerun.plots.palette import places_of
    from forerun.runs.reader import RunReader
    from forerun.runs.records import recorded_files

    palette = looks(frames, places_of(RunReader(folder))) if settings else None
    figure = comparison(
        history, dict(frames), unique_id, palette=palette, settings=settings, note=note,
        errors=errors_of(folder / "metrics.csv", unique_id, list(frames)),
    )  # fmt: skip
    base = f"comparison_{file_name(unique_id)}"
    stem, number = base, 1
    while any((folder / place / f"{stem}.{kind}").exists() for kind in ("png", "svg")):
        number += 1
        stem = f"{base}_{number}"
    if not state.is_frozen(folder):  # folders of the unversioned structure are not verified
        save(figure, folder / place, stem)
    else:
        with recorded_files(folder, place, f"{place}/{stem}") as temporary:
            save(figure, temporary, stem)
    echo(f"plot: {folder / place / f'{stem}.png'}")


def errors_of(metrics: Path, unique_id: str, models: Sequence[str]) -> dict[str, float] | None:
    """Return the MAE of each model on the series; None if the run has no MAE."""
    try:
        table = read_metrics(metrics)
    except UserError:
        return None
    rows = table[(table["unique_id"] == unique_id) & (table["metric"] == "mae")]
    if not len(rows):
        return None
    errors = rows.iloc[0].reindex(list(models)).dropna()
    return {str(model): float(error) for model, error in errors.items()}
