"""Building Snakemake commands, running them, and stopping everything they started."""

from __future__ import annotations

import getpass
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import IO, Any

from forerun.base import scratch
from forerun.base.errors import UserError
from forerun.base.resources import SNAKEFILE
from forerun.base.signals import handled_by
from forerun.base.yaml_files import load_yaml
from forerun.config.models import specs
from forerun.jobs import server
from forerun.runs import session, state

#: Executors that are part of Snakemake.
_OWN_EXECUTORS = ("local", "dryrun", "touch")
#: Seconds that processes have to end after SIGINT.
PATIENCE = 15.0
#: Signals that end a command.
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Ended(BaseException):
    """A signal requested the end of this process."""

    def __init__(self, number: int):
        self.number = number


def refuse_storage(extras: Sequence[str]) -> None:
    """Refuse object storage in arguments or profiles: the commands read folders."""
    if named := _option(extras, "--default-storage-provider"):
        raise UserError(
            f"{named[0]}: the commands work on runs in folders; for runs in object storage use "
            "snakemake itself (see docs/cluster.md)"
        )


def refuse_missing_executor(extras: Sequence[str]) -> None:
    """Refuse an executor in arguments or profiles whose plugin is not installed."""
    named = _option(extras, "--executor", "-e")
    if named is None or named[1] in _OWN_EXECUTORS:
        return
    where, executor = named
    package = f"snakemake-executor-plugin-{executor}"
    if find_spec(package.replace("-", "_")) is None:
        raise UserError(
            f"{where}: the executor '{executor}' needs a Snakemake plugin that is not installed; "
            f"install it with: pip install {package}"
        )


def _option(extras: Sequence[str], name: str, short: str = "") -> tuple[str, str] | None:
    """Return the origin (arguments or a profile) and value of an option of Snakemake."""
    for word, following in pairwise([*extras, ""]):
        option, sign, value = word.partition("=")
        if option in (name, short):
            return name, value if sign else following
    key = name.removeprefix("--")
    for file in _profiles(extras):
        if (named := load_yaml(file).get(key)) is not None:
            return str(file), str(named)
    return None


def _profiles(extras: Sequence[str]) -> Iterator[Path]:
    """Yield the configuration files of the profiles in the arguments."""
    for word, following in pairwise([*extras, ""]):
        option, sign, value = word.partition("=")
        if option in ("--profile", "--workflow-profile"):
            name = value if sign else following
            places = (Path(name), Path("profiles", name))
            yield from (p / "config.yaml" for p in places if (p / "config.yaml").is_file())


def command(targets: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the command that makes `targets`, run in the current folder."""
    if not SNAKEFILE.is_file():
        raise UserError(f"the workflow is missing: {SNAKEFILE} does not exist; reinstall Forerun")
    return [
        sys.executable, "-m", "snakemake", *targets, "--snakefile", str(SNAKEFILE), *arguments,
    ]  # fmt: skip


def shown(arguments: Sequence[str]) -> str:
    """Return a command for the shell."""
    short = (
        ["snakemake", *arguments[3:]] if list(arguments[1:3]) == ["-m", "snakemake"] else arguments
    )
    return shlex.join(short)


@contextmanager
def libraries(folder: Path, settings: dict[str, Any], rest: Sequence[str]) -> Iterator[None]:
    """Start the server for the jobs of a run while Snakemake starts.

    Not if there is nothing to compute, and not with further arguments for Snakemake (`rest`), which
    may run jobs on other machines; the workflow then starts the server if it is useful.
    """
    completed = state.is_sealed(folder) and (folder / "predictions").is_dir()
    engines = set() if completed or rest else {spec.engine for spec in specs(settings)}
    with server.running(engines):
        yield


def run(
    arguments: Sequence[str],
    output: IO[Any] | None = None,
    keep: Sequence[int] = (),
    is_hopeless: Callable[[], bool] = lambda: False,
) -> int:
    """Run a command and return its exit code; the command is stopped if this process is.

    Its temporary folder is removed at the end, or by the next call after a kill.

    Parameters
    ----------
    keep : descriptors of locks that the command inherits
    is_hopeless : called every second; if it returns True the command is stopped with exit code 2
    """
    with scratch.folder() as temporary, handled_by(_raise_ended, *ENDING):
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT if output else None, start_new_session=True,
            pass_fds=[*keep, temporary.lock], env=environment(arguments, temporary.path),
        )  # fmt: skip
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(timeout=1)
                    return code if code >= 0 else 128 - code
                if is_hopeless():
                    end(process)
                    return 2
        except (KeyboardInterrupt, Ended) as ending:
            end(process)
            number = ending.number if isinstance(ending, Ended) else signal.SIGINT
            return 128 + number
        except BaseException:
            end(process)
            raise


def environment(arguments: Sequence[str], temporary: Path) -> dict[str, str]:
    """Return the command's environment, with a private TMPDIR unless jobs run on other machines."""
    given = dict(os.environ) | _who(temporary)
    elsewhere = ("--profile", "--workflow-profile", "--executor", "-e")
    named = any(word.split("=")[0] in elsewhere for word in arguments)
    if named or "SNAKEMAKE_PROFILE" in os.environ:
        return given
    own = {"TMPDIR": str(temporary), scratch.VARIABLE: scratch.machine_folder()}
    return given | own


def _who(temporary: Path) -> dict[str, str]:
    """Return variables that Snakemake needs and user ids without a name (containers) lack."""
    missing = {}
    if not os.path.isabs(os.path.expanduser("~")):
        missing["HOME"] = str(temporary)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError: from Python 3.13 on
        missing["USER"] = session.user()
    return missing


def _raise_ended(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


def end(process: subprocess.Popen[Any]) -> None:
    """Stop a process and its descendants: by SIGINT, then SIGTERM, then SIGKILL."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    started = _descendants(process.pid)
    for number, patience in (
        (signal.SIGINT, PATIENCE),
        (signal.SIGTERM, 5.0),
        (signal.SIGKILL, 5.0),
    ):
        started |= _descendants(process.pid)
        if process.poll() is None:
            _signal_group(process.pid, number)
        else:
            for survivor in started:
                _signal_one(survivor, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            started |= _descendants(process.pid)
            if process.poll() is not None and not any(one.is_running() for one in started):
                return
            if process.poll() is not None and number == signal.SIGINT:
                break
            time.sleep(0.05)


def _descendants(pid: int) -> set[Any]:
    import psutil

    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return set()


def _signal_one(process: Any, number: int) -> None:
    import psutil

    with suppress(psutil.Error):
        process.send_signal(number)  # psutil checks that the process id was not reused


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
