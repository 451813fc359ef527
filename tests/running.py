"""Run the real `snakemake` command in a folder of the test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from forking import DRAW, Programs

PROJECT = Path(__file__).parents[1]
SNAKEMAKE = str(Path(sys.executable).parent / "snakemake")
TEST_CONFIG = PROJECT / "config" / "test.yaml"
#: Forks the calls of :func:`snakemake`, and of `forerun`.
PROGRAMS = Programs()
#: For calls whose figures matter: all others save empty files in their place.
DRAWN = {DRAW: "1"}
#: For calls that start a process of preloaded libraries themselves: all others use the one that
#: serves the whole test session.
OWN_SERVER = {"FORERUN_PRELOAD": ""}


def write_table(path: Path, series: int = 3, length: int = 60) -> Path:
    """Write daily series with a weekly pattern, a trend and a little seeded noise as CSV."""
    random = np.random.default_rng(7)
    days = pd.date_range("2024-01-01", periods=length, freq="D")
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"series_{number}",
                "ds": days,
                "y": 20
                + 5 * number
                + 3 * np.sin(2 * np.pi * np.arange(length) / 7)
                + 0.05 * np.arange(length)
                + random.normal(0, 0.3, length),
            }
        )
        for number in range(series)
    ]
    pd.concat(frames).to_csv(path, index=False)
    return path


def snakemake(
    folder: Path,
    *arguments: str,
    configfile: Path | None = TEST_CONFIG,
    profile: str = "default",
    env: dict[str, str] | None = None,
    timeout: float = 900,
) -> subprocess.CompletedProcess[str]:
    """Run `snakemake <arguments>` in `folder`, on the project's Snakefile and profile."""
    options = ["--snakefile", str(PROJECT / "Snakefile")]
    options += ["--workflow-profile", str(PROJECT / "profiles" / profile), "--cores", "2"]
    options += [*arguments]
    if configfile:
        options += ["--configfile", str(configfile)]
    return PROGRAMS.run(options, folder, os.environ | (env or {}), timeout)


def forerun(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 900
) -> subprocess.CompletedProcess[str]:
    """Run `forerun <arguments>` in `folder`; `train` and the like come first in the arguments."""
    own = {"PYTHONPATH": str(PROJECT / "scripts")}
    return PROGRAMS.run(
        [*arguments], folder, os.environ | own | (env or {}), timeout, program="forerun"
    )


#: Files that may vanish while a folder is copied or listed: temporary ones, by which the tests'
#: server corrects benchmark files, perhaps after Snakemake has ended; and Snakemake's own.
TEMPORARY_FILES = shutil.ignore_patterns(".tmp-*")
_PASSING = re.compile(r"\.snakemake|/benchmarks/(.*/)?\.tmp-")


def files(folder: Path) -> dict[str, int]:
    """Return every file below `folder` that stays, with its time of change (ns)."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _PASSING.search(path.as_posix())
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder` that stays, with its content."""
    return {name: (folder / name).read_bytes() for name in files(folder)}
