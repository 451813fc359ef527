"""Building a Snakemake command, running it, and ending everything it started."""

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
from forerun.base.yaml_files import load_yaml
from forerun.config.models import specs
from forerun.jobs import server
from forerun.runs import session, state

#: Executors that Snakemake brings along.
_OWN_EXECUTORS = ("local", "dryrun", "touch")
#: Seconds that what was started has for ending by itself.
PATIENCE = 15.0


class Ended(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int):
        self.number = number


def refuse_storage(extras: Sequence[str]) -> None:
    """Refuse object storage, named here or in a profile: the commands read folders."""
    if named := _option(extras, "--default-storage-provider"):
        raise UserError(
            f"{named[0]}: the commands work on runs in folders; for runs in object storage use "
            "snakemake itself, as docs/cluster.md shows"
        )


def refuse_missing_executor(extras: Sequence[str]) -> None:
    """Refuse an executor, named here or in a profile, whose plugin is not installed."""
    named = _option(extras, "--executor", "-e")
    if named is None or named[1] in _OWN_EXECUTORS:
        return
    where, executor = named
    package = f"snakemake-executor-plugin-{executor}"
    if find_spec(package.replace("-", "_")) is None:
        raise UserError(
            f"{where}: the executor '{executor}' needs a plugin of Snakemake that is not "
            f"installed; install it: pip install {package}"
        )


def _option(extras: Sequence[str], name: str, short: str = "") -> tuple[str, str] | None:
    """Return where an option of Snakemake is given, here or in a profile, and its value."""
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
    """Yield the configuration of each profile that is named."""
    for word, following in pairwise([*extras, ""]):
        option, sign, value = word.partition("=")
        if option in ("--profile", "--workflow-profile"):
            name = value if sign else following
            places = (Path(name), Path("profiles", name))
            yield from (p / "config.yaml" for p in places if (p / "config.yaml").is_file())


def command(targets: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the command that makes `targets`, run in the current folder."""
    if not SNAKEFILE.is_file():
        raise UserError(
            f"the workflow is missing: {SNAKEFILE} does not exist; install Forerun again"
        )
    return [
        sys.executable, "-m", "snakemake", *targets, "--snakefile", str(SNAKEFILE), *arguments,
    ]  # fmt: skip


def shown(arguments: Sequence[str]) -> str:
    """Return a command as it can be typed."""
    short = (
        ["snakemake", *arguments[3:]] if list(arguments[1:3]) == ["-m", "snakemake"] else arguments
    )
    return shlex.join(short)


@contextmanager
def libraries(folder: Path, settings: dict[str, Any], rest: Sequence[str]) -> Iterator[None]:
    """Import the forecasting libraries while Snakemake starts, for the jobs of a call on a run.

    Not where nothing is to be computed, nor where other arguments for Snakemake (`rest`) may send
    the jobs elsewhere; then the workflow does it, if it is of use.
    """
    done = state.is_sealed(folder) and (folder / "predictions").is_dir()
    engines = set() if done or rest else {spec.engine for spec in specs(settings)}
    with server.running(engines):
        yield


def run(
    arguments: Sequence[str],
    output: IO[Any] | None = None,
    keep: Sequence[int] = (),
    is_hopeless: Callable[[], bool] = lambda: False,
) -> int:
    """Run a command to its end and return its exit code; whatever ends this ends the command.

    Its temporary files lie in a folder that is removed with it, or by the next call after a kill.

    Parameters
    ----------
    keep : descriptors that the command inherits: locks that hold as long as it lives
    is_hopeless : asked every second; when it says so the command is ended, with exit code 2
    """
    with scratch.folder() as temporary, _signals():
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT if output else None, start_new_session=True,
            pass_fds=[*keep, temporary.lock], env=_environment(arguments, temporary.path),
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


def _environment(arguments: Sequence[str], temporary: Path) -> dict[str, str]:
    """Return the command's environment; jobs on other machines keep theirs."""
    given = dict(os.environ) | _who(temporary)
    elsewhere = ("--profile", "--workflow-profile", "--executor", "-e")
    named = any(word.split("=")[0] in elsewhere for word in arguments)
    if named or "SNAKEMAKE_PROFILE" in os.environ:
        return given
    own = {"TMPDIR": str(temporary), scratch.VARIABLE: scratch.machine_folder()}
    return given | own


def _who(temporary: Path) -> dict[str, str]:
    """Return what Snakemake asks for and a user id without a name (containers) has not."""
    missing = {}
    if not os.path.isabs(os.path.expanduser("~")):
        missing["HOME"] = str(temporary)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError: from Python 3.13 on
        missing["USER"] = session.user()
    return missing


@contextmanager
def _signals() -> Iterator[None]:
    """Turn the signals that end a process into exceptions."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process and everything it started: politely first, then surely."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # asked once is enough
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
        process.send_signal(number)  # psutil makes sure that it is still the same process


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
