"""``deployments``: the table of all deployments."""

from __future__ import annotations

from forerun.cli.workspace import Directory, OutputDir, workspace


def command(output_dir: OutputDir = None, directory: Directory = None) -> None:
    """Print the table of all deployments."""
    from forerun.base.errors import UserError
    from forerun.base.terminal import echo
    from forerun.cli.console import show, table, warn
    from forerun.deployments.folder import every
    from forerun.deployments.origins import origins

    rows = []
    for one in every(workspace(output_dir, directory).output):
        try:
            line, made = one.champion(), origins(one)
        except UserError as error:
            warn(str(error))
            continue
        last = made[-1].name if made else "none yet"
        others = ", ".join(other.run_id for other in one.challenging())
        rows.append((one.name, line.run_id, line.since[:10], others, len(made), last))
    if not rows:
        echo("no deployments; create one with 'forerun deploy NAME --run-id ID --data-file FILE'")
        return
    head = ["deployment", "champion", "since", "challengers", "origins", "last origin"]
    show(table(head, rows))
