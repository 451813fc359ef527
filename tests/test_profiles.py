"""Profiles are valid, each key has a comment, and the image can be built."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from running import PROJECT

PROFILES = sorted(path.name for path in (PROJECT / "profiles").iterdir())
RULES = {
    name
    for path in (PROJECT / "workflow" / "rules").glob("*.smk")
    for name in re.findall(
        r"(?m)^(?:rule|checkpoint|use rule \w+ as) (\w+)(?::| with:)", path.read_text()
    )
}


def text(profile: str) -> str:
    return (PROJECT / "profiles" / profile / "config.yaml").read_text()


def test_names_of_profiles() -> None:
    assert PROFILES == ["cluster-generic", "default", "kubernetes", "slurm"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_key_has_a_comment_and_the_top_shows_the_command(profile: str) -> None:
    lines = text(profile).splitlines()
    assert any(line.startswith("#   snakemake") for line in lines[:6])
    for before, line in pairwise(lines):
        if re.match(r"[a-z0-9-]+:", line):
            assert before.startswith("#"), line


@pytest.mark.parametrize("profile", PROFILES)
def test_snakemake_understands_the_profile(profile: str) -> None:
    from snakemake.cli import parse_args

    folder = str(PROJECT / "profiles" / profile)
    _, args = parse_args(["--workflow-profile", folder])
    values = yaml.safe_load(text(profile))
    assert args.executor == values.get("executor")
    assert args.keep_going is True
    assert args.rerun_incomplete is True
    for key, value in values.items():
        special = key.startswith(("cores", "shared", "cluster-gen", "__"))  # __use_yte__
        if isinstance(value, str | int) and not special:
            assert getattr(args, key.replace("-", "_")) in (value, Path(str(value))), key


def test_local_jobs_share_the_memory_of_the_machine() -> None:
    import psutil
    from snakemake.cli import parse_args

    _, args = parse_args(["--workflow-profile", str(PROJECT / "profiles" / "default")])
    megabytes = args.resources["mem_mb"].value
    assert 0 < megabytes <= 0.9 * psutil.virtual_memory().total / 1024**2
    other = ["--resources", "mem_mb=4000"]
    _, args = parse_args(["--workflow-profile", str(PROJECT / "profiles" / "default"), *other])
    assert args.resources["mem_mb"].value == 4000


def test_the_status_command_is_found_from_anywhere() -> None:
    from snakemake.cli import parse_args

    _, args = parse_args(["--workflow-profile", str(PROJECT / "profiles" / "cluster-generic")])
    path = Path(args.cluster_generic_status_cmd)
    assert path.is_file()
    assert path.stat().st_mode & 0o111


@pytest.mark.parametrize("profile", PROFILES)
def test_rules_that_a_profile_names_exist(profile: str) -> None:
    named = set(yaml.safe_load(text(profile)).get("groups", {}))
    named |= set(re.findall(r"(?m)^# set-resources:\n#   (\w+):", text(profile)))
    assert named <= RULES


def test_the_image_copies_existing_files() -> None:
    """Compare names and paths in the Dockerfile with the project; `make check` lints it."""
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    instructions = [
        line.split(maxsplit=1) for line in text.splitlines() if re.match("[A-Z]+ ", line)
    ]
    ignored = (PROJECT / ".dockerignore").read_text().split()
    for source in (s for word, rest in instructions if word == "COPY" for s in rest.split()[:-1]):
        assert (PROJECT / source).exists(), source
        parts = Path(source).parts
        assert not {p.removeprefix("**/") for p in ignored} & set(parts), f"{source} is ignored"
    extras = re.search(r"-e '\.\[([a-z0-9,]+)\]'", text)
    assert extras is not None
    assert set(extras[1].split(",")) <= {"generic", "kubernetes", "ml", "s3", "slurm"}
    assert "-c requirements.lock" in text
    python = re.search(r"- python=([0-9.]+)", (PROJECT / "environment.yml").read_text())
    assert python is not None
    image = next(rest for word, rest in instructions if word == "FROM")
    assert image.startswith(f"python:{python[1]}-")
    user = next(rest for word, rest in instructions if word == "USER")
    assert user not in ("0", "root"), "the image would run as root"
