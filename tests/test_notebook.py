"""The example notebook runs completely on a real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).parents[1] / "docs" / "example.ipynb"
SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_it_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.slow
def test_it_runs(trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORERUN_RUN", str(trained_run))
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": tmp_path}}
    ).execute()
    cells: list[Any] = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [kind for cell in cells for output in cell.outputs for kind in output.get("data", {})]
    assert "application/vnd.plotly.v1+json" in shown
    assert "Run trained" in cells[0].outputs[0]["data"]["text/html"]
    assert float(cells[-1].outputs[0]["data"]["text/plain"].split("(")[-1].rstrip(")")) > 0
