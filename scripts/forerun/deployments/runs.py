"""The runs of a deployment: champion and challengers, and the main model of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forerun.base.errors import UserError
from forerun.base.files import sha256
from forerun.config.names import ENSEMBLE
from forerun.config.settings import read_frozen
from forerun.deployments.folder import Appointment, Deployment
from forerun.deployments.losses import LOSSES, losses
from forerun.deployments.periods import Time, origin_name, parse_time
from forerun.evaluation.losses import METRICS
from forerun.forecasting.choice import Choice, choose, refuse_damaged
from forerun.runs.json_files import read_provenance
from forerun.runs.paths import RunPaths, check_run_id
from forerun.runs.reader import RunReader
from forerun.runs.state import is_sealed
from forerun.runs.tables import read_metrics


@dataclass
class InService:
    """A run that forecasts in a deployment.

    Attributes
    ----------
    role : ``champion`` or ``challenger``
    model : see :func:`main_model`
    """

    line: Appointment
    role: str
    folder: Path
    settings: dict[str, Any]
    choice: Choice
    model: str


def check_run(deployment: Deployment, run_id: str) -> Path:
    """Return the folder of a run; refuse one that is not complete and undamaged."""
    folder = deployment.run(check_run_id(run_id))
    if not folder.is_dir():
        raise UserError(f"there is no run '{run_id}' in {folder.parent}")
    if not is_sealed(folder):
        raise UserError(f"run '{run_id}' is not complete; 'train --run-id {run_id}' finishes it")
    settings = read_frozen(folder / "config.yaml")
    refuse_damaged(folder, choose(folder, settings).models)
    return folder


def main_model(folder: Path, choice: Choice, wanted: str | None) -> str:
    """Return the model whose forecast is used: `wanted`, else the ensemble, else the best one."""
    if wanted is not None:
        if wanted not in choice.names:
            raise UserError(
                f"deployment.yaml: run '{folder.name}' has no model '{wanted}' that can forecast, "
                f"only {', '.join(choice.names)}"
            )
        return wanted
    return ENSEMBLE if ENSEMBLE in choice.names else choice.names[0]


def open_run(deployment: Deployment, line: Appointment, role: str, wanted: str | None) -> InService:
    """Open the run of a journal line; refuse it if its seal has changed since."""
    folder = deployment.run(line.run_id)
    if not (folder / "SEALED").is_file():
        raise UserError(
            f"run '{line.run_id}', {role} of '{deployment.name}', is missing or not sealed; "
            "restore it, or 'forerun rollback'"
        )
    if sha256(folder / "SEALED") != line.seal:
        raise UserError(
            f"run '{line.run_id}' is not the one that became {role} of '{deployment.name}' on "
            f"{line.since}: its seal has changed; promote it again if that is intended"
        )
    settings = read_frozen(folder / "config.yaml")
    choice = choose(folder, settings)
    refuse_damaged(folder, choice.models)
    return InService(line, role, folder, settings, choice, main_model(folder, choice, wanted))


def champion(deployment: Deployment) -> InService:
    """Return the run in service; see :func:`open_run`."""
    return open_run(deployment, deployment.champion(), "champion", deployment.settings().model)


def check_horizon(deployment: Deployment, run_id: str, settings: dict[str, Any]) -> None:
    """Refuse a run whose horizon differs from that of the deployment."""
    wanted = deployment.settings().horizon
    if settings["horizon"] != wanted:
        raise UserError(
            f"run '{run_id}' forecasts {settings['horizon']} steps, deployment "
            f"'{deployment.name}' {wanted}; train one with horizon {wanted}"
        )


def promised(one: InService, metric: str) -> float | None:
    """Return the back-test error of a run's main model; None without that metric.

    With ``horizon_weight`` the back-test's errors are weighted by step and those of forecasts in
    service are not, so they cannot be compared: None.
    """
    if one.settings.get("horizon_weight"):
        return None
    table = read_metrics(RunPaths(one.folder).metrics)
    rows = table[table["metric"] == metric]
    if not len(rows) or one.model not in rows:
        return None
    return float(rows[one.model].mean())


def promised_range(one: InService, metric: str) -> tuple[float, float] | None:
    """Return the smallest and largest error among the windows of a run's back-test.

    None with a single window, or if the metric cannot be computed for one window (scaled errors
    need the history before it).
    """
    table = RunReader(one.folder).cv_results_of(one.model)
    if metric not in LOSSES or not len(table):
        return None
    rows = losses(table.rename(columns={one.model: "point"}), table["y"] * float("nan"))
    errors = rows.groupby("cutoff")[f"{LOSSES[metric]}_step"].mean()
    errors = errors**0.5 if METRICS[metric].root else errors
    if len(errors) < 2 or errors.isna().any():
        return None
    return float(errors.min()), float(errors.max())


def later_end(folder: Path, origin: Time) -> str:
    """Return a phrase if a run's data end after an origin, otherwise an empty string."""
    if read_provenance(folder)["data"].get("end") is None:
        return ""
    end = data_end(folder, not isinstance(origin, int))
    return f"data up to {origin_name(end)}, later than the origin" if end > origin else ""


def data_end(folder: Path, dated: bool) -> Time:
    """Return the end of a run's data."""
    end = read_provenance(folder)["data"].get("end")
    if end is None:
        raise UserError(f"provenance.json of run '{folder.name}' lacks the end of its data")
    return parse_time(end, dated, f"provenance.json of run '{folder.name}'")
