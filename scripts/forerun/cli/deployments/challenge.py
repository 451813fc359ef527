"""``challenge``: make a run forecast in parallel with the champion."""

from __future__ import annotations

from forerun.cli.deployments.common import NameArgument, RunOption, Why, deployment, report
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    run_id: RunOption,
    reason: Why = "",
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Make a run forecast in parallel with the champion, from the next origin on."""
    from forerun.deployments.folder import named_run
    from forerun.deployments.service import challenge

    one = deployment(name, output_dir, directory)
    report(challenge(one, named_run(one.output, run_id), reason))
