"""Rules that are parsed once, in the process that forks for all calls, instead of in each fork."""

from __future__ import annotations

import os
import pickle
import re
import tempfile
from collections.abc import Callable
from types import CodeType
from typing import Any

#: Python of a file of rules with its path, by its content and the number of its first rule.
_parsed: dict[tuple[bytes, int], tuple[str, str, int, dict[int, int]]] = {}
_compiled: dict[tuple[str, str], CodeType] = {}


def remember(dry_run: Callable[[str], object]) -> None:
    """Have forks of this process use what a dry run in a fork has parsed and compiled.

    Parameters
    ----------
    dry_run : calls Snakemake for an empty folder
    """
    from snakemake import workflow

    workflow.parse = _once(workflow.parse)
    workflow.compile = _compile  # type: ignore[attr-defined]
    re._MAXCACHE = 2000  # type: ignore[attr-defined]
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        if (pid := os.fork()) == 0:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                dry_run(folder)  # which removes the folder at its end
                patterns = [key[1:] for key in re._cache]  # type: ignore[attr-defined]
                with open(writing, "wb") as pipe:
                    pickle.dump((_parsed, [*_compiled], patterns), pipe)
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            parsed, sources, patterns = pickle.load(pipe)
        os.waitpid(pid, 0)
    _parsed.update(parsed)
    for source in sources:
        _compile(*source, "exec")
    for pattern, flags in patterns:
        re.compile(pattern, flags)


def _once(parse: Callable[..., tuple[str, int]]) -> Callable[..., tuple[str, int]]:
    def parse_once(
        file: Any, workflow: Any, linemap: dict[int, int], rulecount: int = 0
    ) -> tuple[str, int]:
        path = file.get_path_or_uri(secret_free=True)
        if not os.path.isfile(path):  # in a repository
            return parse(file, workflow, rulecount=rulecount, linemap=linemap)
        with open(path, "rb") as content:
            key = (content.read(), rulecount)
        if key not in _parsed:
            code, count = parse(file, workflow, rulecount=rulecount, linemap=linemap)
            _parsed[key] = (code, path, count, linemap)
        code, old, count, lines = _parsed[key]
        linemap |= lines
        return code.replace(f"snakefile={old!r}", f"snakefile={path!r}"), count  # of a clone

    return parse_once


def _compile(source: str, path: str, mode: str) -> CodeType:
    if (source, path) not in _compiled:
        _compiled[source, path] = compile(source, path, mode)
    return _compiled[source, path]
