"""Forerun: versioned forecasting runs.

Every training session is one folder of plain files, made by the Snakemake rules in ``workflow/``.
This package is the library behind those rules and the command line for people.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forerun.api import Run, open_run
    from forerun.base.resources import WORKFLOW

__version__ = "0.1.0"
__all__ = ["WORKFLOW", "Run", "__version__", "open_run"]


def __getattr__(name: str) -> Any:
    """Import what needs pandas only when it is asked for: the Snakefile does not."""
    if name == "WORKFLOW":
        from forerun.base.resources import WORKFLOW

        return WORKFLOW
    if name in ("Run", "open_run"):
        from forerun import api

        return getattr(api, name)
    raise AttributeError(f"module 'forerun' has no attribute '{name}'")
