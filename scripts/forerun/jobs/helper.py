"""Calls of functions in a fork of the server, which has imported what they need.

A job starts with a new interpreter, and importing pandas takes it a second: more than many of them
work. Without a server a job calls the function itself, with the same result.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from forerun.base.garbage import end_fast
from forerun.base.parent import end_with_parent
from forerun.jobs import benchmark_files, children, worker
from forerun.jobs.server import VARIABLE


def ask(
    function: str, arguments: dict[str, Any], uses: Sequence[str] = (), benchmark: str = ""
) -> Any:
    """Return the result of a function, ``module:name``, which is JSON.

    Parameters
    ----------
    uses : modules that the fork needs in addition to that of the function
    benchmark : file of Snakemake to which the costs of the fork are added
    """
    if os.environ.get(VARIABLE, "off") != "off":
        try:
            return _forked(function, arguments, uses, benchmark)
        except (children.Gone, TypeError, ValueError):
            pass  # there is no server any more, the fork was killed, or it cannot be asked in JSON
    return worker.named(function)(**arguments)


def _forked(function: str, arguments: dict[str, Any], uses: Sequence[str], benchmark: str) -> Any:
    if json.loads(json.dumps(arguments)) != arguments:
        raise ValueError("arguments would be changed")
    task = {"function": function, "arguments": arguments, "helper": True, "threads": 1}
    imports = ["pandas", "pyarrow.parquet", _module(function), *uses]
    task |= {"imports": imports, "benchmark": benchmark}
    reader, result = os.pipe()
    with os.fdopen(reader) as pipe:
        try:
            child = children.Forked(task, children.environment(1), 2, result)
        finally:
            os.close(result)
        text = pipe.read()  # until the fork has ended
    child.connection.close()
    return json.loads(text)


def _module(function: str) -> str:
    return function.partition(":")[0]


def answer(task: Mapping[str, Any]) -> Any:
    """Call the function of a task in the fork; return its result."""
    worker.bind_threads(task["threads"])
    return worker.named(task["function"])(**task["arguments"])


def record(
    function: str,
    log: str,
    log_file: str | None = None,
    is_measured: bool = False,
    **arguments: Any,
) -> None:
    """Call a function while its output is recorded (:func:`forerun.jobs.logs.recording`).

    Parameters
    ----------
    is_measured : whether the rule of the job has a benchmark file
    """
    end_with_parent()
    end_fast()
    how = {"function": function, "log": log, "log_file": log_file, "arguments": arguments}
    benchmark = os.path.abspath(benchmark_files.of_log(log)) if is_measured else ""
    if code := ask("forerun.jobs.logs:recorded", how, [_module(function)], benchmark):
        sys.exit(code)
