"""Outcomes of fits and statuses of models: ``parts/<model>/<fit>.json``, ``status/<model>.json``.

Only this module reads and writes these files. Runs may be damaged or untrusted: reading is bounded,
and values of the wrong type count as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from forerun.base.bounded import shaped
from forerun.base.files import read_json, write_json

#: Statuses that a rerun retries: the fit failed, or was skipped as ``time_limit`` had passed.
UNFINISHED = ("failed", "skipped")
STATUSES = ("ok", *UNFINISHED)

_SHAPE = {
    "status": str, "stage": str, "log": str, "attempts": int, "seconds": float,
    "cpu_seconds": float, "peak_memory_mb": float, "started_at": str, "finished_at": str,
    "reused_from": str, "gpu": str, "usage": {"*": float}, "model": str, "train_seconds": float,
    "cv_seconds": float, "scores": {"*": float}, "note": str,
    "error": {"class": str, "message": str},
}  # fmt: skip
#: Keys that are omitted if empty.
_OPTIONAL = ("cpu_seconds", "gpu", "usage", "scores", "note")


@dataclass(frozen=True)
class Failure:
    """The class and message of the error of a fit."""

    kind: str = ""
    message: str = ""

    @property
    def reason(self) -> str:
        """The message, or the class if there is none."""
        return self.message or self.kind or "no reason given"


@dataclass(frozen=True, kw_only=True)
class _Record:
    """Common content of both files."""

    status: str
    error: Failure | None = None
    stage: str | None = None
    log: str | None = None
    attempts: int = 1
    peak_memory_mb: float | None = None
    reused_from: str | None = None
    finished_at: str = ""

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """Return the record from a JSON value; None without a valid status."""
        record = shaped(value, _SHAPE)
        if record.get("status") not in STATUSES:
            return None
        if (error := record.pop("error", None)) is not None:
            record["error"] = Failure(error.get("class", ""), error.get("message", ""))
        names = {each.name for each in fields(cls)}
        return cls(**{name: item for name, item in record.items() if name in names})

    @classmethod
    def read(cls, path: str | Path) -> Self | None:
        """Read a record; None if it is missing or damaged."""
        return cls.of(read_json(path))

    def as_dict(self) -> dict[str, Any]:
        """Return the content of the JSON file."""
        error = {"class": self.error.kind, "message": self.error.message} if self.error else None
        record = asdict(self) | {"error": error}
        return {k: v for k, v in record.items() if k not in _OPTIONAL or v not in (None, {})}

    def write(self, path: str | Path) -> None:
        write_json(path, self.as_dict())

    @property
    def is_ok(self) -> bool:
        return self.status == "ok"

    @property
    def reason(self) -> str:
        """Why the status is not ok, in words."""
        return (self.error or Failure()).reason


@dataclass(frozen=True, kw_only=True)
class Outcome(_Record):
    """Outcome of a fit.

    Attributes
    ----------
    status : ``ok``, ``failed``, or ``skipped`` if the run's ``time_limit`` had passed
    stage : ``train_model``, ``cross_validate`` or ``run_trial``
    log : path of the log
    attempts : number of consecutive attempts, including this one
    seconds, cpu_seconds : elapsed time and CPU time
    reused_from : run whose equal fit was reused
    gpu : GPU that was used
    usage : figures that Snakemake could not measure, as columns of a benchmark file
    """

    seconds: float = 0.0
    cpu_seconds: float | None = None
    started_at: str = ""
    gpu: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelStatus(_Record):
    """Status of a model, from its final fit and its folds.

    Attributes
    ----------
    stage, error, log : of the failed fit
    attempts : maximum over its fits
    train_seconds, cv_seconds : time of the final fit, and of all folds
    scores : mean of each metric; None if undefined
    note : what a reader of the scores must know, such as series with a naive forecast
    """

    model: str = ""
    train_seconds: float | None = None
    cv_seconds: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    note: str | None = None

    @classmethod
    def of(cls, value: Any) -> Self | None:
        status = super().of(value)
        if status and status.is_ok and status.error:  # as earlier versions wrote a note
            return replace(status, note=status.note or status.error.message or None, error=None)
        return status
