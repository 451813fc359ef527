"""``verify``: is a sealed run still what it was?"""

from __future__ import annotations

from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace
from forerun.errors import UserError


def command(run: RunArgument, output_dir: OutputDir = None, directory: Directory = None) -> int:
    """Hash every frozen file again; name each that is missing, changed or extra.

    The exit code is 0 only when all is well.
    """
    from forerun import seal
    from forerun.cli.console import say
    from forerun.runs import is_sealed

    folder = workspace(output_dir, directory).folder(run)
    if not is_sealed(folder):
        raise UserError(f"run '{run}' is not sealed yet, there is nothing to compare it with")
    found = seal.verify(folder)
    wrong = [f"{kind}: {name}" for kind, names in found.items() for name in names]
    say(*wrong)
    if wrong:
        say(f"run {run} is not what was sealed: {len(wrong)} differences")
        return 1
    say(f"run {run} is as it was sealed ({len(list(seal.frozen_files(folder)))} files)")
    return 0
