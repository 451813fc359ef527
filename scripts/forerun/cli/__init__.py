"""The command line: ``forerun`` with all commands, and ``train``, ``predict``, ``list-runs``.

Slow imports are deferred until a command needs them, so that ``--help`` is fast.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run ``forerun COMMAND ...``."""
    from forerun.cli.app import run

    sys.exit(run(sys.argv[1:]))


def train_command() -> NoReturn:
    """Run ``train ...``."""
    from forerun.cli.app import run

    sys.exit(run(sys.argv[1:], only="train"))


def predict_command() -> NoReturn:
    """Run ``predict ...``."""
    from forerun.cli.app import run

    sys.exit(run(sys.argv[1:], only="predict"))


def list_runs_command() -> NoReturn:
    """Run ``list-runs ...``."""
    from forerun.cli.app import run

    sys.exit(run(sys.argv[1:], only="list-runs"))
