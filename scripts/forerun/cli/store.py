"""``store``: list or prune the cache of trained models that runs share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from forerun.cli.workspace import Directory, OutputDir, workspace

if TYPE_CHECKING:
    from forerun.jobs.model_cache import Entry


class Action(StrEnum):
    """Action on the cache."""

    list = "list"
    prune = "prune"


def command(
    action: Annotated[
        Action, typer.Argument(help="list: print the table of entries. prune: remove entries.")
    ] = Action.list,
    older_than: Annotated[
        float,
        typer.Option(
            "--older-than", metavar="DAYS", min=0, help="prune: only entries older than this."
        ),
    ] = 0,
    unused: Annotated[
        bool, typer.Option("--unused", help="prune: only entries that no run uses any more.")
    ] = False,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> None:
    """List or remove the trained models that new runs can reuse. Existing runs are not affected."""
    from forerun.base.terminal import echo
    from forerun.jobs import model_cache

    place = workspace(output_dir, directory).runs / model_cache.FOLDER
    if action is Action.prune:
        removed = model_cache.prune(place, older_than * 86400, unused)
        echo(f"removed {len(removed)} entries of {place}; runs keep their files")
        return
    lines = [_line(entry) for entry in model_cache.entries(place)]
    if lines:
        echo(
            f"{'key':12}  {'stage':14}  {'model':20}  {'trained by':24}  {'seconds':>9}  stored at"
        )
    echo(*(lines or [f"no entries in {place}"]))


def _line(entry: Entry) -> str:
    """Return one line of the table."""
    info = entry.info
    if not info:
        return f"{entry.key[:12]}  damaged: will be removed instead of reused"
    seconds = float(info.get("seconds") or 0)
    words = (str(info.get(name, "?")) for name in ("stage", "model", "run_id"))
    stage, model, run = words
    at = info.get("stored_at", "?")
    return f"{entry.key[:12]}  {stage:14}  {model:20}  {run:24}  {seconds:9.1f}  {at}"
