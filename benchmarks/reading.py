"""Memory of reading and preparing a Parquet table, by how the file is written.

    python benchmarks/reading.py [--rows 5000000] [--times 3]

Each layout is read in fresh processes, in turn: CPU seconds (with imports) and peak MB, medians.
The prepared tables must be equal.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from measuring import PYTHON, Cost, compared, in_turn, run, table

#: Times of each series.
LENGTH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--load", type=Path, help="only prepare this table")
    options = parser.parse_args()
    if options.load:
        load(options.load)
        return
    folder = Path(tempfile.mkdtemp(prefix="reading-"))
    try:
        paths = write(folder, options.rows // LENGTH)
        results: set[str] = set()

        def one(path: Path) -> Cost:
            cost = run([PYTHON, __file__, "--load", str(path)], folder)
            result, peak = (folder / "last_command.log").read_text().split()
            results.add(result)
            return replace(cost, peak_mb=float(peak))

        ways = {path.stem: lambda _, path=path: one(path) for path in paths}
        found = in_turn(ways, options.times)
        assert len(results) == 1, results
        table(compared(found, paths[0].stem))
    finally:
        shutil.rmtree(folder)


def write(folder: Path, series: int) -> list[Path]:
    """Write the same table in several layouts."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    random = np.random.default_rng(1)
    days = pd.date_range("2024-01-01", periods=LENGTH, freq="D")
    ids = pa.array(np.repeat([f"series_{number:06d}" for number in range(series)], LENGTH))
    y = random.normal(50, 10, series * LENGTH).round(3)
    stamps = pa.table({"unique_id": ids, "ds": np.tile(days.to_numpy(), series), "y": y})
    texts = stamps.set_column(1, "ds", pa.array(np.tile(days.strftime("%Y-%m-%d"), series)))
    unsorted = texts.take(pa.array(random.permutation(len(texts))))
    layouts = {
        "time stamps": (stamps, {}),
        "time stamps, one row group": (stamps, {"row_group_size": len(y)}),
        "times as text": (texts, {}),
        "times as text, unsorted, no dictionaries": (unsorted, {"use_dictionary": False}),
    }
    for name, (content, options) in layouts.items():
        parquet.write_table(content, folder / f"{name}.parquet", **options)
    return [folder / f"{name}.parquet" for name in layouts]


def load(path: Path) -> None:
    """Prepare a table as a new run does; print a hash of the result and the peak memory in MB."""
    import pandas as pd

    from forerun.config.settings import resolve
    from forerun.data import load

    given = {"data_file": str(path), "horizon": 7, "models": [], "baselines": ["Naive"]}
    frame = load(resolve(given)).frame
    status = Path("/proc/self/status").read_text()  # ru_maxrss would be that of the parent
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    hashes = pd.util.hash_pandas_object(frame, index=False)
    print(hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest(), peak)


if __name__ == "__main__":
    main()
