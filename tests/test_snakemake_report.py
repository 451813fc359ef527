"""``snakemake --report`` of a complete run: its content, and that it works offline."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browsing import DESKTOP, chromium, needs_browser
from running import files, snakemake

pytestmark = pytest.mark.slow


def embedded(page: Path, name: str) -> Any:
    """Return a table that is embedded in the report for its script."""
    found = re.search(
        rf'(?s)<script id="{name}">\s*var {name} = (.*?);\s*</script>', page.read_text()
    )
    assert found
    return json.loads(found[1])


@pytest.fixture(scope="module")
def report(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a sealed run."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    before = files(trained_run)
    targets = ["runs/trained/plots", "runs/trained/report.html"]
    done = snakemake(
        trained_run.parents[1], *targets, "--report", str(path), "--nolock", configfile=None
    )
    assert done.returncode == 0, done.stderr
    assert files(trained_run) == before
    return path


def test_results_have_a_place_a_label_and_a_caption(report: Path, trained_run: Path) -> None:
    ((category, parts),) = embedded(report, "categories").items()
    assert category == "trained"
    assert set(parts) == {"Page", "Plots", "Tables"}
    assert parts["Page"] == ["runs/trained/report.html"]
    assert parts["Tables"] == ["runs/trained/leaderboard.csv", "runs/trained/metrics.csv"]
    plots = {f"runs/trained/plots/{path.name}" for path in trained_run.glob("plots/*.svg")}
    assert set(parts["Plots"]) == plots
    results = embedded(report, "results")
    assert set(results) == {path for paths in parts.values() for path in paths}
    for result in results.values():
        assert "of run trained" in " ".join(result["caption"].split())
        assert result["data_uri"].startswith("data:")
        assert all(result["labels"].values())
    index = json.loads((trained_run / "plots" / "index.json").read_text())
    worst = next(plot for plot in index["plots"] if plot["kind"] == "forecast")
    assert results[f"runs/trained/plots/{worst['files']['svg']}"]["labels"] == {
        "plot": "forecast", "of": worst["unique_id"], "chosen as": worst["role"],
    }  # fmt: skip


@needs_browser
def test_it_opens_without_a_network(report: Path) -> None:
    troubles: list[str] = []
    with chromium() as browser:
        page = browser.new_context(**DESKTOP, offline=True).new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(request.url))
        page.goto(report.as_uri())
        for name in ("Results", "trained", "Plots"):
            page.get_by_text(name, exact=True).first.click()
        page.get_by_text("error by horizon", exact=True).wait_for()
    assert troubles == []
