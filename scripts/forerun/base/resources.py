"""Paths of the files that Forerun ships with its library: workflow, profiles, configuration.

In a clone they are at the top of the repository; a wheel has them in ``forerun/project/``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
#: Folder that this library is imported from: ``scripts/`` of a clone, or ``site-packages/``.
LIBRARY = _PACKAGE.parent
#: False in a clone (an editable installation), True for an installed wheel.
IS_INSTALLED = (_PACKAGE / "project").is_dir()

#: Folder with the files below.
PROJECT = _PACKAGE / "project" if IS_INSTALLED else LIBRARY.parent
#: Snakefile that the commands run.
SNAKEFILE = PROJECT / "Snakefile"
#: Snakefile that other workflows include.
WORKFLOW = PROJECT / "workflow" / "Snakefile"
SCHEMA = PROJECT / "workflow" / "schemas" / "config.schema.yaml"
CONFIG = PROJECT / "config" / "config.yaml"
PROFILES = PROJECT / "profiles"
#: The data set of a run without ``data_file``.
DATA = PROJECT / "data" / "us_employment_monthly.csv"


def python_path() -> str:
    """Return the PYTHONPATH with which a new interpreter imports this library.

    In a clone the library comes first. An installed library needs no PYTHONPATH, except for an
    interpreter of another environment (a job in a conda environment); there it comes last, so that
    packages of that environment take precedence.
    """
    inherited = os.environ.get("PYTHONPATH", "")
    if not IS_INSTALLED:
        return os.pathsep.join(filter(None, [str(LIBRARY), inherited]))
    if Path(sys.prefix) in LIBRARY.parents:
        return inherited
    return os.pathsep.join(filter(None, sys.path))
