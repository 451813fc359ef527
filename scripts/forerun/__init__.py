"""Forerun: versioned forecasting runs.

Every training session is one folder of plain files, made by the Snakemake rules in ``workflow/``.
This package is the library behind the rules and the command line.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forerun.api import Run, open_run
    from forerun.base.resources import WORKFLOW

__version__ = "0.1.0"
__all__ = ["WORKFLOW", "Run", "__version__", "open_run"]


def __getattr__(name: str) -> Any:
    """Import attributes that need pandas lazily; the Snakefile does not need them."""
    if name == "WORKFLOW":
        from forerun.base.resources import WORKFLOW

        return WORKFLOW
    if name in ("Run", "open_run"):
        from forerun import api

        return getattr(api, name)
    raise AttributeError(f"module 'forerun' has no attribute '{name}'")
