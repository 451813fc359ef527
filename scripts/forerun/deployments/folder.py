"""The folder of a deployment: paths, champions and challengers, and a lock."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from forerun.base.bounded import Damaged, parse_json, read_text, shaped
from forerun.base.clock import now
from forerun.base.errors import UserError, suggest
from forerun.base.files import sha256, write_text
from forerun.base.publishing import sweep
from forerun.deployments.settings import Settings
from forerun.runs.paths import check_run_id, is_run_id

#: Folder of all deployments, next to ``runs``.
DEPLOYMENTS = "deployments"

_VINTAGE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z(?:-\d+)?\.parquet")
_APPOINTMENT = {
    "run_id": str, "seal": str, "since": str, "by": str, "why": str, "event": str,
    "figures": {"*": float},
}  # fmt: skip


@dataclass(frozen=True)
class Appointment:
    """A line of ``champions.jsonl`` or ``challengers.jsonl``: an event of a run's service.

    Attributes
    ----------
    seal : sha256 of the run's ``SEALED`` at that time
    since, by, why : when (UTC), who and for which reason
    event : ``deploy``, ``promote`` or ``rollback``; ``challenge`` or ``withdraw``
    figures : the value of each gate at a promotion
    """

    run_id: str
    seal: str
    since: str
    by: str
    why: str = ""
    event: str = "deploy"
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """A deployment's folder, ``<output>/deployments/<name>``.

    Attributes
    ----------
    output : folder that holds ``runs`` and ``deployments``
    """

    output: Path
    name: str

    def __post_init__(self) -> None:
        check_run_id(self.name, "deployment")

    @property
    def folder(self) -> Path:
        return self.output / DEPLOYMENTS / self.name

    @property
    def config(self) -> Path:
        return self.folder / "deployment.yaml"

    @property
    def champions(self) -> Path:
        return self.folder / "champions.jsonl"

    @property
    def challengers(self) -> Path:
        return self.folder / "challengers.jsonl"

    @property
    def forecasts(self) -> Path:
        return self.folder / "forecasts"

    @property
    def actuals(self) -> Path:
        return self.folder / "actuals"

    @property
    def scores(self) -> Path:
        return self.folder / "scores"

    @property
    def tables(self) -> Path:
        """Folder of the settings and tables of runs that are trained for the deployment."""
        return self.folder / "tables"

    @property
    def adjustments(self) -> Path:
        return self.folder / "adjustments.csv"

    @property
    def monitor(self) -> Path:
        return self.folder / "monitor.html"

    def run(self, run_id: str) -> Path:
        """Return the folder of a run."""
        return self.output / "runs" / run_id

    def vintages(self) -> list[Path]:
        """Return the files of all vintages of actual values, the oldest first."""
        try:
            names = os.listdir(self.actuals)
        except OSError:
            return []
        found = [self.actuals / name for name in names if _VINTAGE.fullmatch(name)]
        return sorted(found, key=lambda path: path.stem)

    def exists(self) -> bool:
        """Return whether the deployment exists: ``champions.jsonl`` is written last."""
        return self.champions.is_file() and self.config.is_file()

    def require(self) -> Deployment:
        """Return this deployment; refuse one that does not exist."""
        if not self.exists():
            existing = [one.name for one in every(self.output)]
            listed = f"; there are {', '.join(existing[:5])}" if existing else ""
            raise UserError(
                f"there is no deployment '{self.name}'{suggest(self.name, existing)}{listed}; "
                "'forerun deploy' creates one"
            )
        return self

    def settings(self) -> Settings:
        """Read ``deployment.yaml``."""
        return Settings.read(self.config)

    def champion(self) -> Appointment:
        """Return the run in service: the last line of ``champions.jsonl``."""
        return read_journal(self.champions)[-1]

    def challenging(self) -> list[Appointment]:
        """Return the challengers that were neither withdrawn nor promoted since."""
        active: dict[str, Appointment] = {}
        for line in read_journal(self.challengers) if self.challengers.is_file() else []:
            active.pop(line.run_id, None)
            if line.event == "challenge":
                active[line.run_id] = line
        active.pop(self.champion().run_id, None)
        return list(active.values())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the deployment and remove temporary files of killed calls.

        Raises
        ------
        UserError
            Another call holds the lock.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                for place in (self.folder, self.forecasts, self.actuals, self.scores):
                    sweep(place)
                yield
        except Timeout:
            raise UserError(
                f"deployment '{self.name}' is in use by another call; wait for it and rerun"
            ) from None


def every(output: Path) -> list[Deployment]:
    """Return all deployments, sorted by name."""
    try:
        names = sorted(os.listdir(output / DEPLOYMENTS))
    except OSError:
        return []
    found = [Deployment(output, name) for name in names if is_run_id(name)]
    return [one for one in found if one.exists()]


def named_run(output: Path, name: str) -> str:
    """Return a run id; ``@NAME`` is resolved to the champion of that deployment."""
    if not name.startswith("@"):
        return check_run_id(name)
    return Deployment(output, name[1:]).require().champion().run_id


def serving(output: Path, run_id: str) -> list[str]:
    """Return the names of the deployments in which a run is in service."""
    return [one.name for one in every(output) if one.champion().run_id == run_id]


def read_journal(path: Path) -> list[Appointment]:
    """Read the lines of a journal; a damaged line raises :class:`Damaged`."""
    lines = []
    for number, text in enumerate(read_text(path).splitlines(), 1):
        try:
            values = shaped(parse_json(text), _APPOINTMENT)
            line = Appointment(**values)
        except (ValueError, TypeError):
            raise Damaged(f"{path}: line {number} is damaged; restore the file") from None
        if not is_run_id(line.run_id):
            raise Damaged(f"{path}: line {number} has no valid run id")
        lines.append(line)
    if not lines:
        raise Damaged(f"{path}: is empty; restore the file")
    return lines


def append(path: Path, line: Appointment) -> None:
    """Add a line to a journal; the file is replaced as a whole, so a kill cannot damage it."""
    text = read_text(path) if path.is_file() else ""
    write_text(path, text + json.dumps(asdict(line), ensure_ascii=False) + "\n")


def appointment(deployment: Deployment, run_id: str, event: str, **more: Any) -> Appointment:
    """Return a journal line with the run's current seal, the time and the user."""
    seal = sha256(deployment.run(run_id) / "SEALED")
    return Appointment(run_id, seal, now(), user(), event=event, **more)


def user() -> str:
    """Return the user's name, or the user id if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
