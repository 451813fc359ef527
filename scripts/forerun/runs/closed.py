"""What no rule makes again: the frozen files of a run, completed fits, everything under a seal.

Snakemake does not run a job whose input is missing: what the job would make is then a source file,
whatever is touched, edited or forced. So rules that make such files have an input more, a barrier:
nothing for an open file, and a path that cannot exist for a closed one. It is asked for only those
runs that a call is about, however many lie beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Self

from forerun.runs import scores, state
from forerun.runs.fit import completed_outputs, fits
from forerun.runs.paths import RunPaths

#: Name of a barrier below a file that exists: nothing can lie below a file.
BARRIER = "read-only"


@dataclass(frozen=True)
class Closed:
    """What was complete in a run when a call looked at it first.

    Attributes
    ----------
    run : the run
    is_frozen, is_sealed : as in :mod:`forerun.runs.state`
    outputs : what completed fits have made, relative to the run
    """

    run: RunPaths
    is_frozen: bool = False
    is_sealed: bool = False
    outputs: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, run: RunPaths) -> Self:
        """Look at a run, which need not exist."""
        frozen, sealed = state.is_frozen(run.folder), state.is_sealed(run.folder)
        outputs = completed_outputs(run) if frozen and not sealed else []
        return cls(run, frozen, sealed, frozenset(outputs))

    def holds(self, part: str) -> bool:
        """Tell whether a path inside the run is not to be made again."""
        return self._closing(part) is not None

    def barrier(self, part: str) -> str | None:
        """Return a path inside the run that cannot exist, if `part` is not to be made again."""
        closing = self._closing(part)
        return f"{closing}/{BARRIER}" if closing else None

    def _closing(self, part: str) -> str | None:
        """Return the file because of which a path inside the run is closed."""
        if self.is_sealed and state.is_frozen_part(part):
            return "SEALED"
        if self.is_frozen and part in state.FROZEN:
            return "config.yaml"
        if part in self.outputs:
            kind, model, *name = PurePosixPath(part).parts
            return (
                f"parts/{model}/{PurePosixPath(name[0]).stem if kind == 'parts' else 'final'}.json"
            )
        return None


def outdated(run: RunPaths, settings: dict[str, Any]) -> list[str]:
    """Return what of a run that is not sealed is made again if it exists, relative to the run.

    The age of files cannot tell what a killed call has left behind, their content can: outcomes of
    failed fits, statuses of models with an unfinished fit, a leaderboard beside which a score is
    missing (as in a run of an earlier version), and forecasts, which may hide a missing seal.
    """
    every = fits(run, settings)
    unfinished = dict.fromkeys(fit.model for fit in every if not fit.is_completed())
    again = [fit.outcome_path for fit in every if fit.failures()]
    again += [run.status(model) for model in unfinished]
    if not scores.are_complete(run):
        again.append(run.leaderboard)
    again.append(run.predictions)
    return [path.relative_to(run.folder).as_posix() for path in again]
