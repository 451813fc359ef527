"""Put on the path of Python: has `python -m snakemake` start quickly, and the server fork quickly.

If a process that has imported Snakemake serves the tests (`forking.py`), it forks for the call, and
this process passes signals on and ends as the fork does. Otherwise plugins of Snakemake are hidden
whose imports take seconds: Snakemake imports each plugin that is installed at each start. A user
installs the plugin of one cluster, the tests' environment contains all of them.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

HIDDEN = (
    *("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_s3"),
    "snakemake_logger_plugin_rich",
)
#: As in ``forking.py``.
ADDRESS = "FORERUN_TEST_PROGRAMS"
#: Jobs with less memory (MB) are not forked: Slurm measures what they use themselves.
LEAST = 500
_every_module = pkgutil.iter_modules


def _other_modules(*arguments: Any) -> Iterator[pkgutil.ModuleInfo]:
    return (found for found in _every_module(*arguments) if found.name not in HIDDEN)


def _fork() -> NoReturn:
    """Have Snakemake called in a fork; end as it does."""
    import json
    import signal
    import socket

    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[ADDRESS])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: connection.send(bytes([number])))
    call = {"program": "snakemake", "arguments": sys.orig_argv[3:], "folder": os.getcwd()}
    socket.send_fds(connection, [b"."], [0, 1, 2])
    connection.sendall(json.dumps(call | {"env": dict(os.environ)}).encode() + b"\n")
    _, code = connection.makefile().read().split()
    os._exit(int(code) if int(code) >= 0 else 128 - int(code))


if int(os.environ.get("SLURM_MEM_PER_NODE", LEAST)) < LEAST:
    os.environ.pop(ADDRESS, None)
if os.environ.get(ADDRESS) and sys.orig_argv[1:3] == ["-m", "snakemake"]:
    _fork()
if "forerun.jobs.server_process" in sys.orig_argv:
    import huge_pages

    huge_pages.before_freezing()
if "SLURM_JOB_ID" not in os.environ:  # a job has the options of all plugins that its call has
    pkgutil.iter_modules = _other_modules  # type: ignore[assignment]
