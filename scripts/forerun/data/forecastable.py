"""Check whether the models of a run have the future values that they need to forecast."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.config.models import given_columns, specs
from forerun.config.windows import reach
from forerun.data.future import MissingFuture, listed, missing_future
from forerun.data.splitting import split

if TYPE_CHECKING:
    import pandas as pd


#: Advice on new data: forecast without the models that need future values.
SKIP = "--skip-missing (in Python: skip_missing=True) forecasts without these models"
#: Advice on a new run: where to provide future values.
IN_A_RUN = "provide them as later rows of data_file (without a target) or in futr_file"


def need_future(settings: Mapping[str, Any]) -> list[str]:
    """Return the models that need future values of exogenous columns; the calendar has its own."""
    return [spec.name for spec in specs(settings) if given_columns(spec, settings)["futr_exog"]]


def find_missing(settings: Mapping[str, Any], frame: pd.DataFrame) -> MissingFuture | None:
    """Return the future values that models need and a table lacks; None if there are none.

    Parameters
    ----------
    frame : the checked table of a run; rows without ``y`` have future values
    """
    if not need_future(settings):
        return None
    only = {**settings, "hist_exog": [], "stat_exog": [], "calendar": []}
    history, future, _ = split(frame, only)
    steps, columns = reach(only), settings["futr_exog"]
    return missing_future(history, future, columns, steps, settings["freq"])


def without_forecasts(settings: Mapping[str, Any], data: str | Path) -> dict[str, str]:
    """Return the models that cannot forecast beyond a run's data, each with the reason.

    Parameters
    ----------
    data : the run's ``data.parquet``
    """
    import pandas as pd

    models = need_future(settings)
    if not models:
        return {}
    columns = ["unique_id", "ds", "y", *settings["futr_exog"]]
    missing = find_missing(settings, pd.read_parquet(data, columns=columns))
    return dict.fromkeys(models, f"it needs {missing}") if missing else {}


def check(settings: Mapping[str, Any], frame: pd.DataFrame, how: str = "error") -> list[str]:
    """Refuse data that lack future values, or return a note with ``skip``.

    Parameters
    ----------
    settings : settings of the run, with its frequency
    frame : the checked table
    how : ``error`` or ``skip``, the run's ``on_missing_future``
    """
    missing = find_missing(settings, frame)
    if missing is None:
        return []
    models = need_future(settings)
    names, need = listed(models), _need(models)
    if how == "skip":
        return [f"back-test only, no forecasts of {names}: missing are {missing}"]
    raise UserError(
        f"future values are missing: {names} {need} {missing}; {IN_A_RUN}, or set "
        "on_missing_future: skip to back-test these models without forecasts"
    )


def _need(models: Collection[str]) -> str:
    return "needs" if len(models) == 1 else "need"


def refuse_missing(
    settings: Mapping[str, Any],
    history: pd.DataFrame,
    future: pd.DataFrame | None,
    models: Collection[str],
) -> None:
    """Refuse new data that lack future values for some of `models`, before loading any of them."""
    names = [name for name in need_future(settings) if name in models]
    if not names:
        return
    steps, columns = reach(dict(settings)), settings["futr_exog"]
    missing = missing_future(history, future, columns, steps, settings["freq"])
    if missing:
        raise UserError(
            f"future values are missing: {listed(names)} {_need(names)} {missing}; provide them as "
            "later rows of the data (without a target) or in a separate table (--futr-file); "
            f"{SKIP}"
        )


def refuse_left_out(refused: Sequence[str]) -> None:
    """Refuse to forecast new data if some models were skipped."""
    if refused:
        raise UserError(f"{'; '.join(dict.fromkeys(refused))}; {SKIP}")
