"""All commands in one program, with error handling: one line and exit code 2 for user errors."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType

import typer

from forerun.base.errors import UserError, system_error
from forerun.base.garbage import end_fast
from forerun.base.terminal import echo_error

#: Commands in the order of the help -> the module with the function ``command``. Modules that do
#: not exist are skipped.
COMMANDS = {
    "train": "train",
    "predict": "predict",
    "list-runs": "list_runs",
    "show": "show",
    "watch": "watch",
    "compare": "compare",
    "runs-page": "runs_page",
    "verify": "verify",
    "reproduce": "reproduce",
    "rename": "rename",
    "delete": "delete",
    "export": "export_run",
    "import": "import_run",
    "migrate": "migrate",
    "store": "store",
    "list-models": "list_models",
    "generate-config": "generate_config",
    "init": "init",
    "deploy": "deployments.deploy",
    "forecast": "deployments.forecast",
    "score": "deployments.score",
    "challenge": "deployments.challenge",
    "promote": "deployments.promote",
    "rollback": "deployments.rollback",
    "retrain": "deployments.retrain",
    "backfill": "deployments.backfill",
    "monitor": "deployments.monitor",
    "update": "deployments.update",
    "deployments": "deployments.deployments",
}
#: Commands that pass everything after ``--`` to Snakemake.
PASSING_ON = ("train", "predict", "reproduce")

_HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
_HELP = "Versioned forecasting runs: train, compare and use neural forecasting models."


def load(name: str) -> ModuleType | None:
    """Import the module of a command; None if it is not part of this installation."""
    module = f"forerun.cli.{COMMANDS[name]}"
    return importlib.import_module(module) if importlib.util.find_spec(module) else None


def build(only: str | None = None, called: str = "") -> typer.Typer:
    """Return the program of one command, or the one with all of them.

    Of the latter just the command that is `called`, if it is one: the others take longer to load.
    """
    app = typer.Typer(
        help=_HELP,
        add_completion=only is None,
        no_args_is_help=only is None,
        context_settings=_HELP_OPTIONS,
    )
    for name in [only] if only else [called] if called in COMMANDS else COMMANDS:
        module = load(name)
        if module is not None:
            app.command(name, context_settings=_HELP_OPTIONS)(module.command)
    if only is None:
        app.callback(invoke_without_command=True)(_version)
    return app


def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as installed

        try:
            print(f"forerun {installed('forerun')}")
        except PackageNotFoundError:
            print("forerun (not installed, running from its folder)")
        raise typer.Exit(0)


def run(arguments: Sequence[str], only: str | None = None) -> int:
    """Run the program and return its exit code.

    Everything after ``--`` bypasses the parser and is passed to the command as ``context.obj``.
    """
    end_fast()
    _open_standard_streams()
    own, extras = _divide(list(arguments))
    program = only or "forerun"
    try:
        if extras is not None and (only or (own or [""])[0]) not in PASSING_ON:
            raise UserError("'--' is not allowed here: this command does not start Snakemake")
        if extras:
            from forerun.cli.snakemake import refuse_missing_executor, refuse_storage

            refuse_storage(extras)
            refuse_missing_executor(extras)
        called = own[0] if own else ""
        result = build(only, called)(
            own, prog_name=program, standalone_mode=False, obj=extras or []
        )
    except UserError as error:
        return refuse(str(error))
    except typer.Abort:
        echo_error(f"{program}: canceled, nothing was done")
        return 1
    except typer.TyperException as error:
        return refuse(_sentence(error, program)) if error.format_message() else 2
    except KeyboardInterrupt:
        return 130
    except SystemExit as error:
        # Typer exits with 1 if the pipe is closed (`| head`), and wraps the stream.
        is_closed = type(sys.stdout).__name__ == "PacifyFlushWrapper"
        return 0 if is_closed else int(error.code or 0)
    except BrokenPipeError:  # the pipe is closed (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (PermissionError, OSError) as error:
        return _system(error)
    return result if isinstance(result, int) else 0


def _open_standard_streams() -> None:
    """Replace standard streams that the caller has closed (``>&-``).

    Otherwise the next opened file would get their descriptor, and the printed output.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _divide(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in arguments:
        return arguments, None
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def refuse(message: str) -> int:
    """Print the lines of a user error and return the exit code."""
    with suppress(OSError):  # the exit code reports it as well
        for line in message.splitlines():
            echo_error(line, before="forerun: error: ")
    return 2


def _sentence(error: typer.TyperException, program: str) -> str:
    text = " ".join(error.format_message().split()).rstrip(".")
    return f"{text} (see '{program} --help')"


def _system(error: OSError) -> int:
    """Report a system error, such as a full disk or a read-only folder."""
    if error.errno is None or os.environ.get("FORERUN_TRACEBACK"):
        raise error
    return refuse(system_error(error))
