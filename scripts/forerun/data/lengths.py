"""Required lengths of series, and defaults that depend on frequency and lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from forerun.config.windows import held_out, reach
from forerun.data import seasons
from forerun.data.grid import Grid, season_length
from forerun.data.panel import Panel
from forerun.data.parsing import Ints
from forerun.data.problems import Problems, name_series

#: Minimum number of series for longer training of networks.
MANY_SERIES = 100
LEAST = 2
"""Minimum number of values of a padded series before the held-out steps."""
_TOO_SHORT = (
    "as more than half of the series have no more values than that before the held-out steps; "
    "season_length sets another"
)


def required_length(settings: Mapping[str, Any], input_size: int, training: bool = True) -> int:
    """Return the required length of a series, which leaves one full window for training.

    ``input_size + horizon + val_size`` before the steps that cross-validation holds out; for
    prediction with a trained model, `input_size`.
    """
    if not training:
        return input_size
    validation = int(settings.get("val_size") or 0)
    return input_size + reach(dict(settings)) + validation + held_out(dict(settings))


def whole_season(season: int, lengths: Ints, test: int) -> int:
    """Return `season`, or 1 if more than half of the series are shorter than a season.

    Statistical models use the naive forecast for single short series.

    Parameters
    ----------
    lengths : array of int
        Number of values of each series.
    test : int
        Number of held-out steps at the end of each series.
    """
    usable = np.mean(lengths - test > season) if len(lengths) else 1.0
    return season if usable >= 0.5 else 1


def default_input_size(
    horizon: int, season: int, lengths: Ints, settings: Mapping[str, Any]
) -> int:
    """Return the default input size.

    Twice the horizon or four seasons, whichever is longer, but at most four horizons; less, down to
    the horizon, if more than a tenth of the series would be too short (see docs/accuracy.md).
    """
    size = min(max(2 * horizon, 4 * season), 4 * horizon)
    if len(lengths):
        room = int(np.quantile(lengths, 0.1)) - required_length(settings, 0)
        size = min(size, max(room, horizon))
    return size


def default_max_steps(series: int) -> int:
    """Return the default number of training steps (see docs/accuracy.md)."""
    return 300 if series < MANY_SERIES else 500


def how_short(settings: Mapping[str, Any]) -> str:
    """Return what happens to short series: ``error``, ``drop`` or ``pad``.

    By default they are padded, unless the user sets `input_size`: then they are errors.
    """
    given = settings.get("on_short")
    return str(given or ("error" if settings.get("input_size") else "pad"))


def measure(
    panel: Panel,
    grid: Grid,
    settings: Mapping[str, Any],
    training: bool,
    problems: Problems,
) -> dict[str, Any]:
    """Determine season length and input size, and handle short series."""
    lengths = np.bincount(panel.code[~np.isnan(panel.y)], minlength=len(panel.labels))
    present = lengths[lengths > 0]
    usual: int = settings.get("season_length") or season_length(grid.freq)
    season = usual
    if settings.get("season_length") is None:
        if isinstance(grid.freq, int):
            usual = seasons.find(panel.y, panel.code, held_out(dict(settings)))
            problems.note(_season_note(usual))
        season = whole_season(usual, present, held_out(dict(settings)))
        if season != usual or not isinstance(grid.freq, int):
            why = f" instead of {usual}, {_TOO_SHORT}" if season != usual else ""
            problems.note(f"season_length for freq {grid.freq}: {season}{why}")
    size = settings.get("input_size")
    if size is None:
        size = default_input_size(int(settings["horizon"]), usual, present, settings)
        problems.note(f"input_size was chosen: {size}")
    panel, padded = check_lengths(panel, lengths, size, settings, training, problems)
    return {
        "panel": panel,
        "season_length": season,
        "input_size": size,
        "max_steps": settings.get("max_steps") or default_max_steps(len(present)),
        "padded": padded,
    }


def _season_note(season: int) -> str:
    if season == 1:
        return "no season was found in the data, whose times are integers; season_length sets one"
    return (
        f"a season of {season} steps was found in the data, whose times are integers; "
        "season_length sets another"
    )


def check_lengths(
    panel: Panel,
    lengths: Ints,
    input_size: int,
    settings: Mapping[str, Any],
    training: bool,
    problems: Problems,
) -> tuple[Panel, bool]:
    """Report, drop or accept short series (``on_short``).

    Returns
    -------
    panel : Panel
        The panel without dropped series.
    padded : bool
        Whether a remaining series is shorter than `required_length`.
    """
    need = required_length(settings, input_size, training)
    least = held_out(dict(settings)) + LEAST if training else 1
    how = how_short(settings)
    present = np.zeros(len(lengths), dtype=bool)
    present[panel.code] = True
    short = present & (lengths < need) & ~panel.damaged
    if not short.any():
        return panel, False
    limit = least if how == "pad" else need
    wrong = np.flatnonzero(short & (lengths < limit))
    examples = _shortest(panel, lengths, wrong if len(wrong) else np.flatnonzero(short))
    reason = f"{limit} values are needed"
    if how != "pad":
        reason += f" ({_parts(settings, input_size, training)})"
    if how == "pad" and not len(wrong):
        problems.note(
            f"shorter than {need} values, padded at the start for networks: {examples}; "
            "statistical models use the available values"
        )
        return panel, True
    if how == "drop" and len(wrong) < present.sum():
        problems.note(f"dropped as too short, {reason}: {examples}")
        keep = np.ones(len(lengths), dtype=bool)
        keep[wrong] = False
        return panel.take(keep[panel.code]), False
    advice = "; on_short: drop or pad accepts them" if how == "error" else ""
    if how == "pad" and settings.get("on_short") is None:
        advice = "; on_short: drop leaves them out, a smaller n_windows or horizon needs less"
    problems.add(f"too short, {reason}: {examples}{advice}")
    return panel, how == "pad"


def _parts(settings: Mapping[str, Any], input_size: int, training: bool) -> str:
    if not training:
        return f"input_size {input_size}"
    validation = f" + val_size {settings['val_size']}" if settings.get("val_size") else ""
    return (
        f"input_size {input_size} + horizon {settings['horizon']}{validation} + "
        f"{held_out(dict(settings))} held out"
    )


def _shortest(panel: Panel, lengths: Ints, codes: Ints) -> str:
    codes = codes[np.argsort(lengths[codes], kind="stable")]
    return f"{name_series(list(panel.labels[codes]))} with {lengths[codes[0]]}"
