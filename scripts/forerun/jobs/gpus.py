"""Assignment of GPUs to jobs: on one machine no two jobs share a GPU, unless it has several slots.

Each GPU has a number of slots (the setting `gpu_jobs`), each a lock on a small file
(:mod:`forerun.base.locks`), shared by all runs and calls of a user. Within a job of a batch system
only its assigned GPUs count, and the locks are specific to that job, whose fits may run in
parallel.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from forerun.base.errors import UserError
from forerun.base.locks import InUse, hold
from forerun.base.scratch import machine_folder
from forerun.base.terminal import echo_error

if TYPE_CHECKING:
    from forerun.config.models import ModelSpec

#: Environment variable that limits the GPUs of a process.
VARIABLE = "CUDA_VISIBLE_DEVICES"
#: Environment variables with the job id in Slurm, PBS, LSF and SGE.
BATCH_SYSTEMS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "SGE_JOB_SPOOL_DIR")
#: Seconds between two attempts to take a slot.
POLL = 0.5


def visible() -> list[str]:
    """Return the usable GPUs: their UUIDs, or their names in CUDA_VISIBLE_DEVICES.

    Numbers in CUDA_VISIBLE_DEVICES are those of ``nvidia-smi``; those of a batch system are kept,
    and without the variable its jobs have no GPU.
    """
    batch = batch_job() is not None
    installed = [] if batch else _installed()
    given = os.environ.get(VARIABLE, "" if batch else None)
    if given is None:
        return installed
    chosen = []
    for name in (word.strip() for word in given.split(",")):
        if not name or name.startswith("-"):
            break  # as in CUDA, an invalid entry ends the list
        if installed and name.isdecimal():
            if int(name) >= len(installed):
                break
            name = installed[int(name)]
        chosen.append(name)
    return list(dict.fromkeys(chosen))


def _installed() -> list[str]:
    """Return the UUIDs of all GPUs from the driver, or of instances of partitioned GPUs (MIG)."""
    try:
        asked = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    found: list[list[str]] = []
    for line in asked.stdout.splitlines():
        if uuid := re.search(r"\(UUID: ([\w/-]+)\)", line):
            if line.startswith(" ") and found:
                found[-1].append(uuid[1])
            else:
                found.append([uuid[1]])
    return [name for gpu in found for name in (gpu[1:] or gpu)]


def batch_job() -> str | None:
    """Return the name of the batch system's job that this process belongs to."""
    names = (os.environ.get(name) for name in BATCH_SYSTEMS)
    return next((name for name in names if name), None)


def are_used(settings: Mapping[str, Any], spec: ModelSpec) -> bool:
    """Return whether a model uses a GPU if there is one: networks, unless configured otherwise."""
    asked = spec.params.get("accelerator", settings["accelerator"])
    return spec.is_network and asked != "cpu"


@contextmanager
def slot(jobs: int = 1) -> Iterator[dict[str, str]]:
    """Hold a slot of the least used GPU; wait until one is free.

    Parameters
    ----------
    jobs : slots of each GPU; 0 for a process that needs no GPU

    Yields
    ------
    dict
        Environment variables that select the GPU; empty if there is none.
    """
    names = visible() if jobs else []
    if not names:
        yield {}
        return
    held, name = _wait(names, jobs)
    try:
        yield {VARIABLE: name}
    finally:
        held.close()


def _wait(names: list[str], jobs: int) -> tuple[IO[str], str]:
    """Return the locked file of a slot, and the name of its GPU."""
    folder, reported = _folder(), False
    while True:
        for number in range(jobs):
            for name in names:
                lock = re.sub("[^A-Za-z0-9-]", "_", f"{batch_job() or ''}{name}")
                with suppress(InUse):
                    return hold(folder / f"{lock}.{number}"), name
        if not reported:
            reported = True
            echo_error(f"waiting for one of {len(names)} GPUs")
        time.sleep(POLL)


def _folder() -> Path:
    """Return the folder of this user's locks, on this machine's own disk."""
    folder = Path(machine_folder()) / f"forerun-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} belongs to another user; remove it, or set TMPDIR")
    return folder
