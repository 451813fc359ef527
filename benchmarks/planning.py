"""Time of planning: nothing to do, many runs, many sealed runs, and the listing commands.

    python benchmarks/planning.py [--runs 100] [--models 12] [--sealed 1000 10000] [--times 1]

For comparison Snakemake alone: starting with an empty workflow, and planning as many jobs that
depend on each other in the same way, in a workflow without functions, settings and constraints:
with `shell` only, and with the directives that the rules of Forerun have (`script`, `log`...).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path

from measuring import (
    SNAKEMAKE,
    Cost,
    forerun,
    in_turn,
    median,
    run,
    snakemake,
    table,
    write_series,
)

NAMES = [
    *("NBEATS", "NHITS", "LSTM", "GRU", "RNN", "TCN", "MLP"),
    *("DLinear", "NLinear", "TiDE", "BiTCN", "NBEATSx", "KAN", "PatchTST"),
]


SAME = "the same graph, Snakemake alone"
#: Plan without output.
DRY = ["--quiet", "all", "--dry-run"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--sealed", type=int, nargs="*", default=[1000, 10000])
    parser.add_argument("--times", type=int, default=1, help="dry runs, in turn; medians")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="planning-"))
    rows = []

    def note(what: str, cost: Cost, reach: float | None) -> None:
        rows.append(
            {"what": what, "wall s": cost.wall, "CPU s": cost.cpu, "to reach s": reach or ""}
        )
        print(rows[-1], flush=True)

    try:
        alone = bare(folder / "bare", options.runs, options.models)
        nothing = [*alone, "nothing", *DRY]
        note("Snakemake alone, an empty workflow", run(nothing, folder / "bare"), None)
        write_series(folder / "table.csv", 3)
        (folder / "one.yaml").write_text(settings(1))
        (folder / "many.yaml").write_text(settings(options.models))
        one = ["--configfile", "one.yaml"]
        run(snakemake("runs/x/predictions", *one), folder)
        note("nothing to do: snakemake", run(snakemake("runs/x/predictions", *one), folder), 4)
        run(forerun("train", "--run-id", "x"), folder)
        note("nothing to do: train", run(forerun("train", "--run-id", "x"), folder), 4)
        note("--help", run(forerun("--help"), folder), 0.5)
        note("train --help", run(forerun("train", "--help"), folder), 0.5)
        targets = [f"runs/r{number}/predictions" for number in range(options.runs)]
        many = snakemake(*targets, "--configfile", "many.yaml")
        bare_many = [*alone, "many"]
        what = f"{options.runs} runs x {options.models} models"
        # The plan alone, then with each job printed, which takes about as long again.
        note(f"plan of {what}", run([*many, "--rulegraph"], folder), 10)
        note(SAME, run([*bare_many, "--rulegraph"], folder / "bare"), None)
        full_many = [*alone, "many", "--snakefile", "full.smk", *DRY]
        dry = {
            f"dry run of {what}": lambda _: run([*many, *DRY], folder),
            SAME: lambda _: run([*bare_many, *DRY], folder / "bare"),
            f"{SAME} with script, conda, log, benchmark": lambda _: run(full_many, folder / "bare"),
        }
        for name, costs in in_turn(dry, options.times).items():
            note(name, Cost(median(costs, "wall"), median(costs, "cpu"), 0), None)
        made = 0
        for number in options.sealed:
            while made < number:
                copy_run(folder / "runs" / "x", folder / "runs" / f"old_{made}", made)
                made += 1
            reach = {1000: 1.0, 10000: 3.0}.get(number)
            note(f"list-runs of {number}", run(forerun("list-runs"), folder), reach)
            nothing = snakemake("runs/x/predictions", *one)
            note(f"nothing to do with {number} runs", run(nothing, folder), 4)
    finally:
        shutil.rmtree(folder)
    table(rows)


#: Jobs with the same dependencies as those of a run.
BARE = """
rule nothing:
rule many:
    input: expand("{{r}}/predictions", r=range({runs}))
rule freeze:
    output: "{{r}}/config", "{{r}}/data", "{{r}}/provenance"
    shell: "touch {{output}}"
rule train:
    input: "{{r}}/config", "{{r}}/data"
    output: "{{r}}/models/{{m}}", "{{r}}/parts/{{m}}/final"
    shell: "touch {{output}}"
rule cross_validate:
    input: "{{r}}/config", "{{r}}/data"
    output: "{{r}}/parts/{{m}}/results", "{{r}}/parts/{{m}}/fold"
    shell: "touch {{output}}"
rule collect:
    input: multiext("{{r}}/parts/{{m}}/", "final", "fold", "results"), "{{r}}/config", "{{r}}/data"
    output: "{{r}}/cv/{{m}}", "{{r}}/status/{{m}}"
    shell: "touch {{output}}"
rule score:
    input:
        expand("{{{{r}}}}/{{what}}/{{m}}", what=["cv", "status"], m=range({models})),
        "{{r}}/config", "{{r}}/data",
    output: "{{r}}/leaderboard"
    shell: "touch {{output}}"
rule predict:
    input:
        expand("{{{{r}}}}/models/{{m}}", m=range({models})),
        "{{r}}/config", "{{r}}/data", "{{r}}/leaderboard",
    output: "{{r}}/predictions"
    shell: "touch {{output}}"
"""
#: Directives without functions, as almost all rules of Forerun have them.
DIRECTIVES = """log: "{place}.log"
    benchmark: "{place}.tsv"
    conda: "environment.yaml"
    threads: 1
    resources: mem_mb=1000, runtime=30
    message: "{{wildcards.r}}: working"
    script: "script.py"
"""


def bare(folder: Path, runs: int, models: int) -> list[str]:
    """Write workflows of the same shape; return the command that plans one of their targets."""
    folder.mkdir()
    # A run has a baseline besides its models.
    rules = BARE.format(runs=runs, models=models + 1)
    (folder / "Snakefile").write_text(rules)

    def full(rule: re.Match[str]) -> str:
        place = "{r}/logs/" + rule[2] + ("/{m}" if "{m}" in rule[1].partition("output:")[2] else "")
        return rule[1] + DIRECTIVES.format(place=place)

    with_shell = r'(rule (\w+):\n(?:(?!rule ).*\n)*?    )shell: "touch {output}"\n'
    (folder / "full.smk").write_text(re.sub(with_shell, full, rules))
    (folder / "script.py").write_text("print(snakemake.output)\n")
    (folder / "environment.yaml").write_text("dependencies: [python]\n")
    return [SNAKEMAKE, "--cores", "2"]


def settings(models: int) -> str:
    names = NAMES[:models] if models > 1 else []
    lines = ["data_file: table.csv", "horizon: 4", "input_size: 8", "max_steps: 2", "n_windows: 2"]
    return "\n".join([*lines, f"models: [{', '.join(names)}]", "baselines: [SeasonalNaive]", ""])


def copy_run(source: Path, target: Path, number: int) -> None:
    """Make another sealed run: the files that listing reads, without models and pictures."""
    target.mkdir()
    for name in ("config.yaml", "leaderboard.csv", "metrics.csv", "SEALED"):
        shutil.copy(source / name, target / name)
    provenance = json.loads((source / "provenance.json").read_text())
    provenance["created_at"] = f"2026-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}+00:00"
    (target / "provenance.json").write_text(json.dumps(provenance))
    shutil.copytree(source / "status", target / "status")


if __name__ == "__main__":
    main()
