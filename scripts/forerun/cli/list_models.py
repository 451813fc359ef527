"""``list-models``: list available models."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from forerun.base.errors import UserError
from forerun.config.engines import ENGINES


def command(
    engine: Annotated[str, typer.Option("--engine", help=f"One of {', '.join(ENGINES)}.")] = next(
        iter(ENGINES)
    ),
    family: Annotated[str | None, typer.Option("--family", help="Only this family.")] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="Include NeuralForecast's self-tuning Auto models.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List all models by family, with the exogenous columns that each can use."""
    import json

    from forerun.base.errors import suggest
    from forerun.base.terminal import echo
    from forerun.cli.console import show, table, warn
    from forerun.config import catalog

    if engine not in ENGINES:
        hint = suggest(engine, ENGINES)
        raise UserError(f"--engine: there is no '{engine}'{hint}, only {', '.join(ENGINES)}")
    found = [model for model in catalog.of_engine(engine).models.values() if auto or not model.auto]
    families = sorted({model.family for model in found})
    if family is not None and family not in families:
        raise UserError(f"--family: there is no '{family}', only {', '.join(families)}")
    found = [model for model in found if family in (None, model.family)]
    found.sort(key=lambda model: (model.family, model.name))
    head = ["model", "family", "historic", "future", "static", "multivariate", "cannot be used"]
    rows: list[tuple[Any, ...]] = [
        (m.name, m.family, m.hist_exog, m.futr_exog, m.stat_exog, m.multivariate, m.refusal)
        for m in found
    ]
    if note := catalog.outdated(engine):
        warn(note)
    if as_json:
        return echo(json.dumps([dict(zip(head, row, strict=True)) for row in rows], indent=2))
    shown = [["yes" if v is True else "" if v is False else v for v in row] for row in rows]
    show(table(head, shown))
    usable = [model.name for model in found if model.refusal is None]
    use = f"; use one with: train --models {usable[0]}" if usable else ""
    echo(f"{len(rows)} models of {engine}{use}")
    return None
