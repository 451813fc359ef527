"""``verify``: verify the checksums of a sealed run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forerun.base.errors import UserError
from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace

if TYPE_CHECKING:
    from forerun.runs.records import Checked


def command(run: RunArgument, output_dir: OutputDir = None, directory: Directory = None) -> int:
    """Recompute all checksums; print each file that is missing, changed or extra.

    Frozen files are compared with the seal; forecasts, plots, the report, inference/ and
    comparisons/ with the checksums recorded when they were made. The exit code is 0 only without
    differences.
    """
    from forerun.base.terminal import echo
    from forerun.base.text import plural
    from forerun.runs import seal
    from forerun.runs.records import strays
    from forerun.runs.state import is_sealed

    folder = workspace(output_dir, directory).folder(run)
    run = folder.name
    if not is_sealed(folder):
        raise UserError(f"run '{run}' is not sealed yet; there are no checksums to verify")
    frozen = [f"{kind}: {name}" for kind, names in seal.verify(folder).items() for name in names]
    derived = seal.verify_derived(folder)
    wrong = [*frozen, *(line for checked in derived.values() for line in checked.wrong)]
    wrong += [f"extra: {name}" for name in strays(folder, seal.PARTS)]
    echo(*wrong)
    if not seal.has_checksum(folder) and "changed: SEALED" not in frozen:
        echo("note: the seal has no checksum, as it was written by an earlier version")
    echo(*_summary(derived))
    if wrong:
        what = "differs from its seal" if frozen else "was changed after it was sealed"
        echo(f"run {run} {what}: {plural(len(wrong), 'difference')}")
        return 1
    echo(f"run {run} matches its seal ({len(list(seal.frozen_files(folder)))} files)")
    return 0


def _summary(derived: dict[str, Checked]) -> list[str]:
    """Describe the comparison of each class of derived files."""
    from forerun.base.text import plural

    lines = []
    for what, checked in derived.items():
        if number := len(checked.unrecorded):
            files = plural(number, "file")
            lines.append(f"note: {what}: checksums not recorded ({files} of an earlier version)")
        elif checked.recorded and not checked.wrong:
            lines.append(f"{what}: as recorded ({plural(checked.recorded, 'file')})")
    return lines
