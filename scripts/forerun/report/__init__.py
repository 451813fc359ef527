"""HTML pages about runs: self-contained files that work offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forerun.report.comparison import write_comparison
    from forerun.report.run_report import write_report
    from forerun.report.runs_page import write_runs_page

__all__ = ["write_comparison", "write_report", "write_runs_page"]

_MODULES = {
    "write_comparison": "comparison",
    "write_report": "run_report",
    "write_runs_page": "runs_page",
}


def __getattr__(name: str) -> Any:
    """Import pages lazily."""
    if name not in _MODULES:
        raise AttributeError(f"module 'forerun.report' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"forerun.report.{_MODULES[name]}"), name)
