"""Outputs that rules must not make again: frozen files, completed fits, sealed runs.

If an input of a rule can never exist, Snakemake treats the rule's existing outputs as source files,
whatever is touched, edited or forced. Rules that make such outputs therefore have an additional
input, a barrier: empty for open outputs, and a path that cannot exist for closed ones. Barriers
are computed only for the runs of a call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Self

from forerun.config.frozen import read_frozen
from forerun.runs import scores, search, state
from forerun.runs.fit import completed_outputs, fits
from forerun.runs.paths import RunPaths

#: Name of a barrier below an existing file, where no path can exist.
BARRIER = "read-only"


@dataclass(frozen=True)
class Closed:
    """The closed outputs of a run at the start of a call.

    Attributes
    ----------
    run : the run
    is_frozen, is_sealed : as in :mod:`forerun.runs.state`
    outputs : outputs of completed fits, relative to the run
    """

    run: RunPaths
    is_frozen: bool = False
    is_sealed: bool = False
    outputs: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, run: RunPaths) -> Self:
        """Return the closed outputs of a run, which need not exist."""
        frozen, sealed = state.is_frozen(run.folder), state.is_sealed(run.folder)
        outputs = completed_outputs(run) if frozen and not sealed else []
        if frozen and not sealed:
            outputs += search.closed_outputs(run, read_frozen(run.config))
        return cls(run, frozen, sealed, frozenset(outputs))

    def holds(self, part: str) -> bool:
        """Return whether a path inside the run is closed."""
        return self._closing(part) is not None

    def barrier(self, part: str) -> str | None:
        """Return a path inside the run that cannot exist if `part` is closed, otherwise None."""
        closing = self._closing(part)
        return f"{closing}/{BARRIER}" if closing else None

    def _closing(self, part: str) -> str | None:
        """Return the file that closes a path inside the run, or None."""
        if self.is_sealed and state.is_frozen_part(part):
            return "SEALED"
        if self.is_frozen and part in state.FROZEN:
            return "config.yaml"
        if part in self.outputs and search.is_output(part):
            return part
        if part in self.outputs:
            kind, model, *name = PurePosixPath(part).parts
            return (
                f"parts/{model}/{PurePosixPath(name[0]).stem if kind == 'parts' else 'final'}.json"
            )
        return None


def outdated(run: RunPaths, settings: dict[str, Any]) -> list[str]:
    """Return the outputs of an unsealed run to make again if they exist, relative to the run.

    After a killed call the age of files is not enough to decide, so their content is checked:
    outcomes of fits to retry, statuses of models with an unfinished fit, a leaderboard if another
    score is missing (as in runs of earlier versions), and forecasts, which may hide a missing seal.
    """
    every = fits(run, settings)
    unfinished = dict.fromkeys(fit.model for fit in every if not fit.is_completed())
    again = [fit.outcome_path for fit in every if fit.needs_retry()]
    again += [run.status(model) for model in unfinished]
    again += [run.folder / part for part in search.outdated(run, settings)]
    if not scores.are_complete(run):
        again.append(run.leaderboard)
    again.append(run.predictions)
    return [path.relative_to(run.folder).as_posix() for path in again]
