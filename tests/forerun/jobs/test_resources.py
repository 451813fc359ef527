"""Resources that jobs request from Snakemake."""

from __future__ import annotations

import pytest

from forerun.config.models import specs
from forerun.config.settings import resolve
from forerun.jobs import resources
from forerun.jobs.fit_history import Cost


def test_memory_without_earlier_fits() -> None:
    assert resources.usual_memory(10) == 1700
    assert resources.usual_memory(10, attempt=3) == 6800
    assert [resources.collecting_memory(size) for size in (0, 10)] == [1000, 1200]
    assert [resources.tables_memory(size) for size in (0, 10, 100)] == [2000, 2000, 3500]
    assert resources.shard_memory(100, shards=4, attempt=2) == 4000


def test_memory_is_that_of_earlier_fits_and_more_after_failures() -> None:
    earlier = [Cost("k", 0, 1, 10.0, 1.0, 800.0)]
    learnt = 1500  # a quarter and 500 MB more
    assert resources.fit_memory(earlier, "k", 10, attempt=1, failures=0) == learnt
    assert resources.fit_memory(earlier, "k", 10, attempt=2, failures=1) == 4 * learnt
    assert resources.fit_memory(earlier, "k", 10, attempt=9, failures=9) == 16 * learnt
    assert resources.fit_memory(earlier, "other", 10, attempt=2, failures=0) == 3400


def test_minutes() -> None:
    assert resources.fit_minutes(600, is_fast=False, megabytes=1, attempt=3) == 15
    assert resources.fit_minutes(None, is_fast=False, megabytes=1, attempt=2) == 240
    assert resources.fit_minutes(None, is_fast=True, megabytes=0.5, attempt=1) == 40
    assert resources.fit_minutes(None, is_fast=True, megabytes=1000, attempt=1) == 1440


@pytest.mark.parametrize("max_steps", [200, None])  # None: depends on data that are not yet read
def test_errors_appear_early_and_long_final_fits_start_first(max_steps: int | None) -> None:
    linear = {"name": "Linear", "model": "DLinear", "params": {"max_steps": 500}}
    models = ["NHITS", linear, "AutoNHITS", "LSTM", "DirectRidge"]
    settings = resolve({"models": models, "baselines": ["AutoETS", "MSTL"], "max_steps": max_steps})
    jobs = {
        f"{spec.name}{'' if final else '?'}": resources.fit_priority(spec, settings, final)
        for spec in specs(settings)
        for final in (True, False)
    }
    order = "MSTL? DirectRidge? AutoETS? AutoETS MSTL DirectRidge"
    order += " Linear? NHITS? LSTM? AutoNHITS? AutoNHITS LSTM NHITS Linear"
    assert sorted(jobs, key=lambda name: -jobs[name]) == order.split()


@pytest.mark.parametrize(
    ("accelerator", "has_gpus", "expected"),
    [("auto", True, True), ("auto", False, False), ("gpu", False, True), ("cpu", True, False)],
)
def test_only_networks_ask_for_a_gpu(accelerator: str, has_gpus: bool, expected: bool) -> None:
    settings = resolve({"models": ["NHITS"], "accelerator": accelerator})
    networks = [spec for spec in specs(settings) if spec.name == "NHITS"]
    baselines = [spec for spec in specs(settings) if spec.name != "NHITS"]
    assert resources.needs_gpu(settings, networks, lambda: has_gpus) is expected
    assert not resources.needs_gpu(settings, baselines, lambda: True)
    assert resources.uses_gpus(settings) is (accelerator != "cpu")
