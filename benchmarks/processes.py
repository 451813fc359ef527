"""Processes of fits: forked by the server, fresh, or one process for each model.

    python benchmarks/processes.py --times 3 --checkout earlier=/path/to/a/checkout

Ways, run in turn: `server`, this checkout as it is; `fresh`, without the server: each fit imports
the forecasting libraries; `model`, a prototype without a server: one job for each model makes its
final fit and its fold in one process. The prototype lacks features of the other ways: a death
blames one fit, a fit is resumed alone, `max_time`, leases, reuse. Each `--checkout` adds a way.
With --check, the results of all ways are compared.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import pandas as pd
from measuring import PROJECT, SNAKEMAKE, Cost, compared, in_turn, run, table

DATA = PROJECT / "data" / "us_employment_monthly.csv"
THREE = "models: [NBEATS, NHITS, LSTM]\nbaselines: [SeasonalNaive]\nmax_steps: 100\n"
TWELVE = (
    "models: [NHITS, NBEATS, NBEATSx, NLinear, DLinear, MLP, TiDE, TCN, GRU, LSTM, RNN, "
    "DilatedRNN]\nbaselines: [SeasonalNaive]\nmax_steps: 20\n"
)
WORKLOADS = {
    "demo": (PROJECT / "config" / "demo.yaml").read_text(encoding="utf-8"),
    "three networks, 100 steps": THREE,
    "twelve networks, 20 steps": TWELVE,
}

RULE = """
rule fit_model:
    input:
        config="<runs>/{run_id}/config.yaml",
        data="<runs>/{run_id}/data.parquet",
    output:
        model=directory("<runs>/{run_id}/models/{model}"),
        final="<runs>/{run_id}/parts/{model}/final.json",
        results="<runs>/{run_id}/parts/{model}/fold_0.parquet",
        fold="<runs>/{run_id}/parts/{model}/fold_0.json",
    log:
        "<runs>/{run_id}/logs/train_model/{model}.log",
    benchmark:
        "<runs>/{run_id}/benchmarks/train_model/{model}.tsv"
    threads: get_threads
    script:
        "../../scripts/fit_model.py"


ruleorder: fit_model > train_model > train_baseline
ruleorder: fit_model > cross_validate > cross_validate_baseline
"""

SCRIPT = """
import os
import sys

with open(snakemake.log[0], "w") as log:
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
for name in ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR"):
    os.environ[f"{name}_NUM_THREADS"] = str(snakemake.threads)

import time
from datetime import UTC, datetime
from pathlib import Path

from forerun.config import models
from forerun.config.frozen import read_frozen
from forerun.forecasting import training
from forerun.forecasting.engines.base import get_engine
from forerun.runs.fit import Fit
from forerun.runs.outcome import Outcome
from forerun.runs.paths import RunPaths

run = RunPaths(Path(snakemake.input.config).parent)
model = snakemake.wildcards.model
get_engine(models.spec(read_frozen(run.config), model).engine)
if "torch" in sys.modules:
    sys.modules["torch"].set_num_threads(snakemake.threads)
for fit in Fit(run, model), Fit(run, model, 0):
    began = time.time()
    getattr(training, fit.stage)(fit, lambda *_: None)
    Outcome(
        status="ok",
        stage=fit.stage,
        log=str(fit.log_path),
        seconds=time.time() - began,
        finished_at=datetime.now(UTC).isoformat(),
    ).write(fit.outcome_path)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    parser.add_argument("--ways", nargs="+", default=["server", "model"])
    parser.add_argument("--checkout", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--check", action="store_true", help="compare the results of all ways")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="processes-"))
    prototype = with_one_job_for_each_model(folder / "prototype")
    checkouts = {"server": (PROJECT, "on"), "fresh": (PROJECT, "off"), "model": (prototype, "off")}
    chosen = {name: checkouts[name] for name in options.ways}
    for named in options.checkout:
        name, _, place = named.partition("=")
        chosen[name] = (Path(place), "on")
    found: dict[str, dict[str, list[Cost]]] = {workload: {} for workload in options.workloads}
    try:
        for number in range(options.times):
            for workload in options.workloads:
                place = folder / workload.split(",")[0].replace(" ", "_")
                ways = {
                    name: partial(measured, place / name, workload, checkout, server, options.cores)
                    for name, (checkout, server) in chosen.items()
                }
                show(workload, found[workload], in_turn(ways, 1, first=number))
                if options.check and not number:
                    check(place, list(ways))
    finally:
        shutil.rmtree(folder)


def show(workload: str, costs: dict[str, list[Cost]], more: dict[str, list[Cost]]) -> None:
    """Add one round of costs and print the medians so far."""
    for way, new in more.items():
        costs.setdefault(way, []).extend(new)
    print(f"\n{workload}, {len(next(iter(costs.values())))} rounds\n")
    table(compared(costs, next(iter(costs))))
    sys.stdout.flush()


def measured(
    place: Path, workload: str, checkout: Path, server: str, cores: int, number: int
) -> Cost:
    """Run a workload with the workflow of a checkout, in a folder without anything to reuse."""
    folder = place / str(number)
    folder.mkdir(parents=True)
    (folder / "settings.yaml").write_text(WORKLOADS[workload], encoding="utf-8")
    command = [SNAKEMAKE, "runs/x/predictions", "--snakefile", str(checkout / "Snakefile")]
    command += ["--workflow-profile", str(checkout / "profiles" / "default")]
    command += ["--cores", str(cores), "--configfile", "settings.yaml"]
    command += ["--config", f"data_file={DATA}"]
    variables = {"PYTHONPATH": str(checkout / "scripts")}
    if server == "off":
        variables["FORERUN_PRELOAD"] = "off"
    return run(command, folder, **variables)


def with_one_job_for_each_model(folder: Path) -> Path:
    """Copy this checkout and add a rule that makes both fits of a model in one process."""
    for name in ("workflow", "scripts", "profiles", "config", "data"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "Snakefile", folder)
    (folder / "workflow" / "rules" / "fit.smk").write_text(RULE, encoding="utf-8")
    (folder / "scripts" / "fit_model.py").write_text(SCRIPT, encoding="utf-8")
    contents = folder / "workflow" / "Snakefile"
    text = contents.read_text(encoding="utf-8")
    after = 'include: "rules/validate.smk"\n'
    contents.write_text(text.replace(after, after + 'include: "rules/fit.smk"\n'), encoding="utf-8")
    return folder


def check(place: Path, ways: list[str]) -> None:
    """Print which models' cross-validation differs from that of the first way."""
    first = {path.name: pd.read_csv(path) for path in place.glob(f"{ways[0]}/0/runs/x/cv_*.csv")}
    for way in ways[1:]:
        other = {path.name: pd.read_csv(path) for path in place.glob(f"{way}/0/runs/x/cv_*.csv")}
        differing = sorted(name for name in first if not first[name].equals(other[name]))
        print(f"{way}: {len(first) - len(differing)} tables the same; differing: {differing}")


if __name__ == "__main__":
    main()
