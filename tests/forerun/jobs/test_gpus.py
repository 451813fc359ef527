"""Two jobs never share the slot of a GPU, even if they are killed; no GPU is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from forerun.base import scratch
from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.jobs import gpus

SCRIPTS = str(Path(gpus.__file__).parents[2])
HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from forerun.jobs import gpus
with gpus.slot(int(sys.argv[2])) as variables:
    print(variables["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
"""
#: What `nvidia-smi -L` prints: one GPU as a whole, one that is divided.
LISTED = """\
GPU 0: NVIDIA A100 (UUID: GPU-aaaa-1)
GPU 1: NVIDIA A100 (UUID: GPU-bbbb-2)
  MIG 3g.20gb Device 0: (UUID: MIG-cccc-3)
  MIG 3g.20gb Device 1: (UUID: MIG-GPU-dddd/7/0)
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate machine without other locks or a batch system, with a fake `nvidia-smi`."""
    for name in (gpus.VARIABLE, *gpus.BATCH_SYSTEMS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv(scratch.VARIABLE, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    has_gpus(tmp_path, LISTED)
    return tmp_path


def has_gpus(folder: Path, listed: str) -> None:
    (folder / "listed").write_text(listed)
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\n[ "$*" = -L ] && cat "{folder}/listed"\n')
    program.chmod(0o755)


class Job:
    """A process that holds a slot until it is stopped or killed."""

    def __init__(self, jobs: int = 1):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, SCRIPTS, str(jobs)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr

    def gpu(self) -> str:
        """Wait until the job has a slot; return its GPU."""
        return self.process.stdout.readline().strip()  # type: ignore[union-attr]

    def waits(self) -> str:
        """Wait until the job reports that it waits."""
        return self.process.stderr.readline().strip()  # type: ignore[union-attr]

    def end(self) -> None:
        self.process.stdin.close()  # type: ignore[union-attr]
        self.process.wait(60)


def test_gpus_listed_by_nvidia_smi(machine: Path) -> None:
    assert gpus.visible() == ["GPU-aaaa-1", "MIG-cccc-3", "MIG-GPU-dddd/7/0"]
    (machine / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert gpus.visible() == []


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("1", ["GPU-bbbb-2"]),
        ("1, 0", ["GPU-bbbb-2", "GPU-aaaa-1"]),
        ("GPU-bbbb-2,1", ["GPU-bbbb-2"]),
        ("1,-1,0", ["GPU-bbbb-2"]),
        ("0,7,1", ["GPU-aaaa-1"]),
        ("", []),
        ("-1", []),
    ],
)
def test_gpus_in_cuda_visible_devices(
    machine: Path, monkeypatch: pytest.MonkeyPatch, given: str, seen: list[str]
) -> None:
    has_gpus(machine, "\n".join(LISTED.splitlines()[:2]))
    monkeypatch.setenv(gpus.VARIABLE, given)
    assert gpus.visible() == seen


def test_two_jobs_never_have_the_same_gpu(machine: Path) -> None:
    has_gpus(machine, "\n".join(LISTED.splitlines()[:2]))
    jobs = [Job() for _ in range(2)]
    assert {job.gpu() for job in jobs} == {"GPU-aaaa-1", "GPU-bbbb-2"}
    third = Job()
    assert third.waits() == "waiting for one of 2 GPUs"
    # The GPU of a killed job goes to the waiting one.
    jobs[0].process.kill()
    jobs[0].process.wait(60)
    assert third.gpu() in {"GPU-aaaa-1", "GPU-bbbb-2"}
    fourth = Job()
    assert "waiting" in fourth.waits()
    third.end()
    assert fourth.gpu()
    for job in (jobs[1], fourth):
        job.end()


def test_many_jobs_at_once_take_turns(machine: Path) -> None:
    """Five jobs for two GPUs: each gets a GPU and is alone on it."""
    has_gpus(machine, "\n".join(LISTED.splitlines()[:2]))
    work = f"""
import os, sys
sys.path.insert(0, {SCRIPTS!r})
from forerun.jobs import gpus
gpus.POLL = 0.02
for _ in range(5):
    with gpus.slot() as variables:
        mine = {str(machine)!r} + "/" + variables["CUDA_VISIBLE_DEVICES"] + ".user"
        os.close(os.open(mine, os.O_CREAT | os.O_EXCL))  # fails if another one is there
        os.unlink(mine)
"""
    jobs = [subprocess.Popen([sys.executable, "-c", work]) for _ in range(5)]
    assert [job.wait(120) for job in jobs] == [0] * 5


def test_slots_of_one_gpu_are_shared_and_the_emptiest_is_taken_first(machine: Path) -> None:
    has_gpus(machine, "\n".join(LISTED.splitlines()[:2]))
    jobs, taken = [], []
    for _ in range(4):
        jobs.append(Job(jobs=2))
        taken.append(jobs[-1].gpu())
    assert taken == ["GPU-aaaa-1", "GPU-bbbb-2"] * 2
    fifth = Job(jobs=2)
    assert "waiting" in fifth.waits()
    for job in jobs:
        job.end()
    assert fifth.gpu()
    fifth.end()


def test_no_slot_without_a_choice(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gpus.slot(0) as variables:
        assert variables == {}
    with gpus.slot(1) as variables:
        assert variables == {gpus.VARIABLE: "GPU-aaaa-1"}
    has_gpus(machine, "")
    with gpus.slot(1) as variables:
        assert variables == {}


@pytest.mark.parametrize("name", gpus.BATCH_SYSTEMS)
def test_a_job_of_a_batch_system_uses_its_allocated_gpus(
    machine: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/spool/42")
    assert gpus.visible() == []  # other GPUs of the machine are not used
    monkeypatch.setenv(gpus.VARIABLE, "0,1")
    with gpus.slot(1) as first, gpus.slot(1) as second:
        assert [first[gpus.VARIABLE], second[gpus.VARIABLE]] == ["0", "1"]
        # GPU 0 of another job is a different one: batch systems number them from 0 in each job.
        monkeypatch.setenv(name, "/spool/43")
        with gpus.slot(1) as other:
            assert other[gpus.VARIABLE] == "0"


def test_only_networks_configured_for_a_gpu_use_one() -> None:
    models = ["NHITS", {"name": "here", "model": "NHITS", "params": {"accelerator": "cpu"}}]
    asked = {"accelerator": "gpu", "models": models, "baselines": ["Naive"]}
    settings = resolve(asked)
    used = [spec.name for spec in specs(settings) if gpus.are_used(settings, spec)]
    assert used == ["NHITS"]
    settings = resolve(asked | {"accelerator": "cpu"})
    assert not any(gpus.are_used(settings, spec) for spec in specs(settings))


def test_a_folder_of_locks_that_is_a_link_is_refused(machine: Path) -> None:
    (machine / "elsewhere").mkdir()
    (machine / f"forerun-gpus-{os.getuid()}").symlink_to(machine / "elsewhere")
    with pytest.raises(gpus.UserError, match="belongs to another user"), gpus.slot(1):
        pass
