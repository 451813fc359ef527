"""Counts that do not depend on the machine: a test fails if they grow.

    python benchmarks/counts.py            compare with benchmarks/counts.json; fail on an increase
    python benchmarks/counts.py --write    record the current counts

A test runs it, so an intended increase is recorded with the change that causes it.

Counted: modules that each command imports; for a small run: trainings, interpreters started,
children forked, files and kilobytes written; the same for a second run that reuses its models, and
for a call with nothing to do; the files of runs that list-runs opens; how often it, show and the
predictions of a sealed run open a table (CSV or Parquet) for reading.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from measuring import PROJECT, PYTHON, forerun, run, snakemake, write_series
from reads import tables_read

KNOWN = Path(__file__).with_name("counts.json")
#: Tolerances of increases: modules and bytes change a little with versions of libraries.
SLACK = {"modules": 1.1, "kilobytes": 1.2}
HEAVY = ("torch", "neuralforecast", "statsforecast", "pandas", "matplotlib", "plotly", "snakemake")
#: Each Python process with this module on its path writes its command to a file.
MARK = """
import os, sys
with open(os.environ["COUNT_PROCESSES"], "a") as file:
    file.write(" ".join(map(str, sys.orig_argv)) + "\\n")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="counts-"))
    try:
        found = commands(folder) | workflows(folder) | listing(folder) | tables(folder)
    finally:
        shutil.rmtree(folder)
    if options.write:
        KNOWN.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    if risen := rises(json.loads(KNOWN.read_text()), found):
        sys.exit("Not as in benchmarks/counts.json:\n" + "\n".join(risen))


def rises(recorded: dict[str, dict[str, int]], found: dict[str, dict[str, int]]) -> list[str]:
    """Return the counts that increased by more than their tolerance, and those on one side only."""
    before, now = ({(n, c): v for n in x for c, v in x[n].items()} for x in (recorded, found))
    lines = []
    for name, count in sorted({*before, *now}):
        was, is_now = before.get((name, count)), now.get((name, count))
        if was is None or is_now is None or is_now > was * SLACK.get(count, 1):
            lines.append(f"  {name}: {count} is {is_now}, it was {was}")
    return lines


def commands(folder: Path) -> dict[str, dict[str, int]]:
    """Count the modules that commands import: all, and the heavy ones."""
    found = {}
    for words in (["--help"], ["train", "--help"], ["list-runs"], ["show", "--help"]):
        code = (
            "import sys, json\n"
            "from forerun.cli.app import run\n"
            "sys.stdout = open('/dev/null', 'w')\n"
            "try:\n    run(sys.argv[2:])\nexcept SystemExit:\n    pass\n"
            "open(sys.argv[1], 'w').write(json.dumps(sorted(sys.modules)))\n"
        )
        (folder / "runs").mkdir(exist_ok=True)
        run([PYTHON, "-c", code, "modules.json", *words], folder)
        modules = json.loads((folder / "modules.json").read_text())
        found[" ".join(words)] = {
            "modules": len(modules),
            "heavy": sum(name in modules for name in HEAVY),
        }
    return found


def workflows(folder: Path) -> dict[str, dict[str, int]]:
    """Count the work of three calls: a run, one that reuses its models, and a rerun."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(MARK)
    write_series(folder / "table.csv", 3)
    found = {}
    for name, run_id, settings in (
        ("a run", "a", []),
        ("a run that shares its models", "b", ["metrics=[mae,rmse]"]),
        ("nothing to do", "b", ["metrics=[mae,rmse]"]),
    ):
        marks = folder / "marks.txt"
        marks.write_text("")
        before = left(folder / "runs")
        options = ["--config", "data_file=table.csv", *settings]
        config = ["--configfile", str(PROJECT / "config" / "test.yaml"), "--cores", "2"]
        run(
            snakemake(f"runs/{run_id}/predictions", *options, *config),
            folder,
            COUNT_PROCESSES=str(marks),
            PYTHONPATH=os.pathsep.join([str(folder / "site"), str(PROJECT / "scripts")]),
        )
        started = marks.read_text().splitlines()
        after = left(folder / "runs")
        found[name] = {
            "trainings": trainings(folder / "runs" / run_id) if name != "nothing to do" else 0,
            "interpreters": sum("multiprocessing" not in line for line in started),
            "files": after[0] - before[0],
            "kilobytes": (after[1] - before[1]) // 1024,
        }
    return found


#: Runs list-runs and records the files of runs that it opens.
LISTING = """
import sys
opened = open(sys.argv[1], "w")
is_listing = [True]
def note(event, arguments):
    if event == "open" and str(arguments[0]).startswith("runs/") and is_listing:
        opened.write(str(arguments[0]) + "\\n")
sys.addaudithook(note)
from forerun.cli.app import run
sys.stdout = open("/dev/null", "w")
try:
    run(["list-runs"])
except SystemExit:
    pass
is_listing.clear()
opened.close()
"""


def listing(folder: Path) -> dict[str, dict[str, int]]:
    """Count the files that list-runs opens for the existing sealed runs."""
    run([PYTHON, "-c", LISTING, "opened.txt"], folder)
    opened = (folder / "opened.txt").read_text().splitlines()
    runs = [path for path in (folder / "runs").iterdir() if (path / "SEALED").is_file()]
    return {f"list-runs of {len(runs)} sealed runs": {"files opened": len(opened)}}


def tables(folder: Path) -> dict[str, dict[str, int]]:
    """Count the tables of sealed runs that commands read, in whichever process and library."""
    shutil.rmtree(folder / "runs" / "b" / "predictions")
    calls = {
        "list-runs of sealed runs": forerun("list-runs"),
        "show of sealed runs": forerun("show", "b"),
        "predictions of a sealed run": snakemake(
            "runs/b/predictions", "--config", "data_file=table.csv"
        ),
    }
    found = {}
    for name, command in calls.items():
        with tables_read(folder / "runs") as read:
            run(command, folder)
        found[name] = {"tables read": len(read)}
    return found


def trainings(folder: Path) -> int:
    """Number of fits of a run that were trained, not reused from another run."""
    outcomes = [json.loads(path.read_text()) for path in folder.glob("parts/*/*.json")]
    return sum(not outcome.get("reused_from") for outcome in outcomes)


def left(folder: Path) -> tuple[int, int]:
    """Number of files and bytes below a folder; a file with several links counts once."""
    seen = {}
    for path in folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            state = path.stat()
            seen[state.st_ino] = state.st_size
    return len(seen), sum(seen.values())


if __name__ == "__main__":
    main()
