"""A run on a machine with one GPU, with a fake `nvidia-smi`.

With `accelerator: auto` networks train on the CPU where torch finds no GPU, bound to the one that
they were assigned anyway.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from running import snakemake, write_table

from forerun.jobs import gpus


@pytest.mark.slow
def test_fits_of_networks_take_turns_on_one_gpu(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "GPU 0: Pretended (UUID: GPU-only)"\n')
    program.chmod(0o755)
    write_table(tmp_path / "table.csv")
    env = {"PATH": f"{program.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    env |= dict.fromkeys(gpus.BATCH_SYSTEMS, "")
    asked = ["run_id=exp1", "data_file=table.csv", "accelerator=auto", "models=DLinear"]
    done = snakemake(
        tmp_path, "runs/exp1/predictions", "--config", *asked, "baselines=Naive", env=env
    )
    assert done.returncode == 0, done.stderr[-5000:]
    parts = tmp_path / "runs" / "exp1" / "parts"
    one, other = (
        json.loads((parts / "DLinear" / f"{p}.json").read_text()) for p in ("final", "fold_0")
    )
    assert one["gpu"] == other["gpu"] == "GPU-only"
    assert one["finished_at"] <= other["started_at"] or other["finished_at"] <= one["started_at"]
    # Snakemake counted one GPU, so no job waited for it while it held a core.
    assert "waiting for one of" not in done.stderr
    # Jobs without a GPU are bound to none.
    assert "gpu" not in json.loads((parts / "Naive" / "final.json").read_text())
