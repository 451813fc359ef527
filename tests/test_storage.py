"""Runs in object storage, without a shared folder: a real S3 server on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from running import PROGRAMS, PROJECT, TEST_CONFIG, write_table
from slurm.cluster import free_ports

from forerun.base.yaml_files import load_yaml
from forerun.runs import snapshot

pytestmark = pytest.mark.skipif(
    not (find_spec("moto") and find_spec("snakemake_storage_plugin_s3")),
    reason="moto or Snakemake's plugin for S3 is not installed",
)

BUCKET = "bucket"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while True:
            try:
                client(address).list_buckets()
                break
            except Exception:
                assert time.monotonic() < until, "the S3 server did not come up"
                time.sleep(0.3)
        yield address
    finally:
        process.kill()
        process.wait()


def client(address: str):  # type: ignore[no-untyped-def]
    import boto3

    return boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def stored(address: str) -> dict[str, datetime]:
    """Return every object below runs/ with the time it was written."""
    pages = client(address).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    found = [one for page in pages for one in page.get("Contents", [])]
    start = "project/runs/"
    return {
        one["Key"].removeprefix(start): one["LastModified"]
        for one in found
        if one["Key"].startswith(start)
    }


def call(
    home: Path, address: str, *arguments: str, config: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder that holds nothing but the table."""
    home.mkdir(exist_ok=True)
    write_table(home / "table.csv")
    env = os.environ | {
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": address,
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "test",
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "test",
        "SNAKEMAKE_STORAGE_S3_REGION": "us-east-1",
    }
    command = [*arguments, "--snakefile", str(PROJECT / "Snakefile"), "--cores", "2"]
    command += ["--workflow-profile", str(PROJECT / "profiles" / "default")]
    command += ["--default-storage-provider", "s3"]
    command += ["--default-storage-prefix", f"s3://{BUCKET}/project"]
    command += ["--configfile", str(TEST_CONFIG), "--config", "data_file=table.csv"]
    command += ["models=Naive", "baselines=SeasonalNaive", *config]
    return PROGRAMS.run(command, home, env, timeout=900)


@pytest.mark.slow
def test_a_run_in_storage(server: str, tmp_path: Path) -> None:
    """Train half of it, resume elsewhere, list, predict, and leave it alone when it is sealed."""
    one, other = tmp_path / "one", tmp_path / "other"
    done = call(one, server, "runs/exp1/models/Naive")
    assert done.returncode == 0, done.stderr[-5000:]
    there = stored(server)
    assert {"exp1/config.yaml", "exp1/data.parquet", "exp1/parts/Naive/final.json"} <= set(there)
    assert "exp1/models/Naive/model.json" in there

    # Another machine continues; stored objects are not made again.
    done = call(other, server, "runs/exp1/predictions")
    assert done.returncode == 0, done.stderr[-5000:]
    after = stored(server)
    assert {"exp1/SEALED", "exp1/leaderboard.csv", "exp1/predictions/Naive.csv"} <= set(after)
    assert {name: after[name] for name in there if "logs" not in name} == {
        name: at for name, at in there.items() if "logs" not in name
    }
    assert not (other / "runs").exists()

    # A fresh machine lists it, has nothing to do, and refuses other settings.
    third = tmp_path / "third"
    listed = call(third, server, "list-runs")
    assert "exp1" in listed.stdout
    again = call(third, server, "runs/exp1/predictions")
    assert "Nothing to be done" in again.stdout + again.stderr
    refused = call(third, server, "runs/exp1/predictions", config=("horizon=7",))
    assert refused.returncode == 2
    assert "requested 7" in refused.stderr
    for target, reason in (
        ("runs/exp2/predictions", "warm_start needs runs in a folder"),
        ("deployments/jobs/monitor.html", "deployments need runs in a folder"),
    ):
        refused = call(third, server, target, config=("warm_start=exp1",))
        assert refused.returncode == 2
        assert refused.stderr.splitlines()[-1].startswith(f"forerun: error: {reason}")
        assert "Traceback" not in refused.stderr
    assert stored(server) == after

    # Forecasts are made again from the sealed run, by a machine that has nothing of it, in shards.
    for name in [name for name in after if "/predictions/" in name]:
        client(server).delete_object(Bucket=BUCKET, Key=f"project/runs/{name}")
    fourth = tmp_path / "fourth"
    done = call(fourth, server, "runs/exp1/predictions", config=("shard_size=2",))
    assert done.returncode == 0, done.stderr[-5000:]
    assert "predicting shard 2-of-2" in done.stderr
    made = {name for name in stored(server) if "/predictions/" in name or "/shard_" in name}
    assert made == {name for name in after if "/predictions/" in name}
    assert "training" not in done.stderr
    shutil.rmtree(fourth)


def write(text: str):  # type: ignore[no-untyped-def]
    return lambda path: Path(path).write_text(text)


def test_the_snapshot_of_stored_runs(tmp_path: Path) -> None:
    at = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    objects = [
        snapshot.Stored("a/config.yaml", at, write("horizon: 4")),
        snapshot.Stored("a/data.parquet", at, write("never fetched")),
        snapshot.Stored("a/logs/x.json", at, write("never shown")),
        snapshot.Stored("../outside.json", at, write("never written")),
    ]
    folder = tmp_path / "runs"
    snapshot.refresh(folder, objects)
    assert load_yaml(folder / "a" / "config.yaml") == {"horizon": 4}
    assert (folder / "a" / "data.parquet").read_bytes() == b""
    assert not (tmp_path / "outside.json").exists()
    # What is the same is not fetched again, what has gone goes, what is of this machine stays.
    (folder / "a" / "logs").mkdir()
    (folder / "a" / "logs" / "session.json").write_text("{}")
    snapshot.refresh(folder, [snapshot.Stored("a/config.yaml", at, write("not fetched again"))])
    assert load_yaml(folder / "a" / "config.yaml") == {"horizon": 4}
    assert not (folder / "a" / "data.parquet").exists()
    assert (folder / "a" / "logs" / "session.json").exists()
    later = datetime.fromisoformat("2026-01-02T03:04:06+00:00")
    snapshot.refresh(folder, [snapshot.Stored("a/config.yaml", later, write("horizon: 5"))])
    assert load_yaml(folder / "a" / "config.yaml") == {"horizon": 5}
