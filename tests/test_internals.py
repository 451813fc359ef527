"""All uses of Snakemake's internals in internals.smk, with the installed Snakemake."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from running import PROGRAMS, PROJECT

INTERNALS = PROJECT / "workflow" / "rules" / "internals.smk"

#: A workflow with a checkpoint, a complete file, and a file that is to be made again.
SNAKEFILE = """
import json
from types import SimpleNamespace

include: {internals!r}

with open("parsed", "a") as file:
    print(IS_PLANNING, file=file)

RUNS = "runs"
outdated = lambda run, settings: ["result"]
get_run = get_settings = lambda run_id: None
get_closed = lambda run_id: SimpleNamespace(is_sealed=False)

def get_scored(wildcards):
    await_scores(wildcards.run_id)
    return "runs/a/more"

checkpoint score_models:
    output: "runs/{{run_id}}/scores"
    shell: "touch {{output}}"

rule more:
    output: "runs/{{run_id}}/more"
    shell: "touch {{output}}"

rule complete:
    input: "runs/{{run_id}}/scores/read-only"
    output: "runs/{{run_id}}/complete"
    shell: "touch {{output}}"

rule result:
    input: get_scored, rerun_outdated, "runs/{{run_id}}/complete"
    output: "runs/{{run_id}}/result"
    run:
        open(output[0], "w").write("again")

rule other:
    output: "elsewhere/{{run_id}}"
    shell: "touch {{output}}"

onstart:
    limit_resource("gpu", 3)
    limit_resource("mem_mb", 7)
    found = dict(
        IS_MODULE=IS_MODULE, IS_PLANNING=IS_PLANNING, RUNS_HERE=RUNS_HERE, CORES=CORES,
        STORAGE=STORAGE, options=get_layers().options, targets=get_targets(),
        jobs=sorted(job.rule.name for job in get_jobs()),
        planned=sorted(job.rule.name for job in get_jobs(planned=True)),
        own=has_own_environments(), gpu=workflow.scheduler.global_resources["gpu"],
        mem_mb=str(workflow.global_resources["mem_mb"].value),
    )
    open("found.json", "w").write(json.dumps(found))
"""


def test_snakemake_is_as_the_internals_expect(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(internals=str(INTERNALS)))
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    for name in ("scores", "more", "complete", "result"):
        (run / name).write_text("old")
    for name in ("scores", "more", "complete"):
        os.utime(run / name, (1e9, 1e9))
    command = ["runs/a/result", "elsewhere/a", "--cores", "2", "--forcerun", "complete"]
    options = ["--config", "run_id=2024_11", "--resources", "mem_mb=5", "--rerun-triggers", "mtime"]
    done = PROGRAMS.run([*command, *options], tmp_path, dict(os.environ), timeout=300)
    assert done.returncode == 0, done.stderr[-5000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert {"runs/a/result", "elsewhere/a"} <= set(found.pop("targets"))
    assert found == {
        "IS_MODULE": False, "IS_PLANNING": True, "RUNS_HERE": True, "CORES": 2, "STORAGE": None,
        "options": {"run_id": "2024_11"}, "jobs": ["more", "result"],
        "planned": ["result"], "own": False, "gpu": 3, "mem_mb": "5",
    }  # fmt: skip
    # A file passed to the function is made again without a new input; one with a barrier never is.
    assert (run / "result").read_text() == "again"
    assert (run / "complete").read_text() == "old"
    assert set((tmp_path / "parsed").read_text().split()) == {"True", "False"}


def test_no_other_rule_file_touches_them() -> None:
    used = re.compile(r"\bworkflow\.(?!rst)|\bcheckpoints\.|sys\.argv|forcefiles")
    for path in [PROJECT / "workflow" / "Snakefile", *INTERNALS.parent.glob("*.smk")]:
        if path != INTERNALS:
            assert not used.search(re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)), (
                path
            )


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_the_rules_pass_the_checks_of_snakemake(snakefile: str) -> None:
    options = ["--snakefile", snakefile, "--lint"]
    done = PROGRAMS.run(options, PROJECT, dict(os.environ), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
