"""``reproduce``: rerun a run and compare the results."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forerun.base.errors import UserError
from forerun.cli.workspace import Directory, OutputDir, RunArgument, workspace

if TYPE_CHECKING:
    from forerun.forecasting.reproduce import Reproduction


def command(
    context: typer.Context,
    run: RunArgument,
    trust: Annotated[
        bool, typer.Option("--trust", help="Execute the code of a run from elsewhere.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the new run in this new folder."),
    ] = None,
    output_dir: OutputDir = None,
    directory: Directory = None,
) -> int:
    """Rerun a run's configuration and data in another folder and compare the results.

    The exit code is 0 only if metrics, back-tests and forecasts are identical to the last digit.
    The run itself is not changed. Everything after -- is passed to Snakemake.
    """
    from forerun.base import scratch
    from forerun.forecasting import reproduce

    folder = workspace(output_dir, directory).frozen(run).absolute()
    run = folder.name
    if keep is not None and keep.exists():
        raise UserError(f"--keep: '{keep}' exists; give a folder that does not")
    with scratch.folder("again") if keep is None else nullcontext() as temporary:
        place = temporary.path if temporary else Path(keep or "").absolute()
        again = reproduce.prepare(folder, place, trust)
        if code := _rerun(run, place, list(context.obj or [])):
            return code
        return _report(run, reproduce.compare(folder, again))


def _rerun(run: str, scratch: Path, extras: list[str]) -> int:
    """Run the workflow in the scratch folder, without reusing models."""
    from forerun.base.terminal import echo
    from forerun.cli import snakemake

    options = ["reuse=false", "accept_failures=true", "log_file="]
    arguments = ["--directory", str(scratch), "--config", *options, *extras]
    command = snakemake.command([f"runs/{run}/predictions"], arguments)
    echo(snakemake.shown(command))
    with tempfile.TemporaryFile() as output:
        code = snakemake.run(command, output)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if code:
        own = [line for line in text.splitlines() if line.startswith("forerun:")]
        echo(*(list(dict.fromkeys(own)) or text.splitlines()[-20:]))
        echo(f"run {run} could not be reproduced")
    return code


def _change(difference: float) -> str:
    return f"{difference:+.3g}" if difference else ""


def _report(run: str, found: Reproduction) -> int:
    """Print the differences and return the exit code."""
    from forerun.base.terminal import echo
    from forerun.cli.console import cell, show, table

    echo(
        *(f"configuration: {key} was {old!r}, is {new!r}" for key, old, new in found.configuration)
    )
    if not found.configuration:
        echo("configuration: identical")
    echo(f"data: {'identical' if found.data else 'changed since they were frozen'}")
    echo(f"source table: {found.table}")
    echo(*(f"version: {name} was {old}, is {new}" for name, (old, new) in found.versions.items()))
    if not found.versions:
        echo("versions: identical")
    rows = [
        (model, metric, cell(then, digits=6), cell(now, digits=6), _change(now - then))
        for model, metrics in found.scores.items()
        for metric, (then, now) in metrics.items()
    ]
    show(table(["model", "metric", "then", "now", "difference"], rows))
    echo(f"models: {'differ: ' + ', '.join(found.models) if found.models else 'identical'}")
    for name, difference in sorted(found.differences.items()):
        size = "other rows or columns" if difference == float("inf") else f"up to {difference:.3g}"
        echo(f"differs: {name} ({size})")
    if found.identical:
        echo(f"run {run} is reproduced: identical to the last digit")
        return 0
    largest = "other rows or columns" if found.largest == float("inf") else f"{found.largest:.3g}"
    echo(f"run {run} is not reproduced exactly: largest difference {largest}")
    return 1
