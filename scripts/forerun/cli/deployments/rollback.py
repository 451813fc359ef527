"""``rollback``: put the champion before the present one into service again."""

from __future__ import annotations

from forerun.cli.deployments.common import NameArgument, Why, deployment, tell
from forerun.cli.workspace import Directory, OutputDir


def command(
    name: NameArgument,
    reason: Why = "",
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """Put the champion before the present one into service again."""
    from forerun.deployments.service import rollback

    tell(rollback(deployment(name, output_dir, directory), reason))
