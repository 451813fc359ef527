"""Selection of the models and combinations of a run to forecast with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError, suggest
from forerun.config.models import specs
from forerun.config.names import COMBINED, current
from forerun.runs import seal
from forerun.runs.fit import Fit
from forerun.runs.json_files import read_ensemble
from forerun.runs.outcome import ModelStatus
from forerun.runs.paths import RunPaths
from forerun.runs.state import is_sealed

#: Environment variable that makes the workflow use damaged models (``predict --no-verify``).
UNVERIFIED = "FORERUN_UNVERIFIED"


@dataclass(frozen=True)
class Choice:
    """Models and combinations to forecast with.

    Attributes
    ----------
    names : requested models and combinations, in the order of the leaderboard
    models : folder of each model whose forecasts these require
    """

    names: list[str]
    models: dict[str, Path]


def choose(folder: Path, settings: Mapping[str, Any], asked: Sequence[str] | None = None) -> Choice:
    """Return the models and combinations to forecast with: those in `asked`, or all by default.

    Raises
    ------
    UserError
        A requested model is not in the run, failed or is not trained yet; or none is trained.
    """
    models = [spec.name for spec in specs(settings)]
    if asked is None:
        usable = usable_models(folder, settings)
        combined = COMBINED if _is_scored(folder) else ()
        return Choice(_ranked(folder, [*usable, *combined]), usable)
    asked = list(dict.fromkeys(current(name, models) for name in asked))
    for name in asked:
        valid = [*models, *COMBINED]
        if name not in valid:
            raise UserError(f"run '{folder.name}' has no model '{name}'{suggest(name, valid)}")
    single = [name for name in asked if name in models]
    if single == asked:
        needed = _with_members(settings, asked)
        return Choice(asked, usable_models(folder, settings, needed))
    if not _is_scored(folder):
        raise UserError(f"run '{folder.name}' has no scores yet, which {asked[-1]} requires")
    usable_models(folder, settings, single)  # refuses those that cannot forecast
    return Choice(asked, usable_models(folder, settings))


def _with_members(settings: Mapping[str, Any], asked: Sequence[str]) -> list[str]:
    """Return the models with those whose mean one of them is."""
    means = [one for one in specs(settings) if one.name in asked]
    members = [name for one in means for name in one.members or ()]
    return list(dict.fromkeys([*asked, *members]))


def _is_scored(folder: Path) -> bool:
    return RunPaths(folder).metrics.is_file() and bool(read_ensemble(folder))


def _ranked(folder: Path, names: list[str]) -> list[str]:
    from forerun.runs.tables import read_leaderboard_rows

    if not RunPaths(folder).leaderboard.is_file():
        return names
    order = [row["model"] for row in read_leaderboard_rows(RunPaths(folder).leaderboard)]
    ranked = [name for name in order if name in names]
    return ranked + [name for name in names if name not in ranked]


def usable_models(
    folder: Path, settings: Mapping[str, Any], asked: Sequence[str] | None = None
) -> dict[str, Path]:
    """Return the folder of each model that can forecast, in the configuration's order.

    Raises
    ------
    UserError
        A requested model failed or is not trained yet; or none is trained.
    """
    paths = RunPaths(folder)
    names = [spec.name for spec in specs(settings)]
    chosen = {}
    for name in names if asked is None else [name for name in names if name in asked]:
        status = ModelStatus.read(paths.status(name))
        if Fit(paths, name).has_product() and (status is None or status.is_ok):
            chosen[name] = paths.model(name)
        elif asked is not None:
            message = status.error.message if status and status.error else ""
            reason = f"failed: {message}" if message else "is not trained yet"
            raise UserError(f"model '{name}' of run '{folder.name}' {reason}")
    if not chosen and asked != []:
        raise UserError(f"run '{folder.name}' has no trained model; 'train' it first")
    return chosen


def refuse_damaged(folder: Path, models: Iterable[str], with_scores: bool = True) -> None:
    """Refuse a sealed run if its models, data or configuration do not match the seal.

    Combinations use the scores as well (`with_scores`).
    """
    if not is_sealed(folder):
        return
    frozen = ["config.yaml", "data.parquet"]
    frozen += ["metrics.csv", "ensemble.json"] if with_scores else []
    for what, prefix in [("", name) for name in frozen] + [
        (name, f"models/{name}/") for name in models
    ]:
        differing = seal.verify(folder, prefix)
        wrong = [f"{kind} {file}" for kind, files in differing.items() for file in files]
        if wrong:
            subject = f"model '{what}' of run '{folder.name}'" if what else f"run '{folder.name}'"
            more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
            raise UserError(
                f"{subject} is damaged ({'; '.join(wrong[:3])}{more}) and not used to forecast; "
                "'forerun verify' lists everything, --no-verify skips this check"
            )
