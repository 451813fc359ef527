"""Kill runs repeatedly and check that nothing is lost: any number of kills and minutes.

    python benchmarks/soak.py --kills 300 --minutes 60

Each call of `train` is killed with SIGKILL at a random moment: Snakemake, one of its jobs, the
process that trains, the server, or all at once. The command is rerun until the run is complete.
After each call, the files that were complete before must be unchanged; at the end each run must
equal an undisturbed run, to the byte. Prints one line of JSON; the exit code is 0 if nothing was
lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT / "tests"), str(PROJECT / "scripts")]

from killing import QUICK, Storm, results, start  # noqa: E402
from running import write_table  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="work here and keep it; temporary if left out")
    asked = parser.parse_args()
    if asked.folder:
        asked.folder.mkdir(parents=True)
        return soak(asked.folder.resolve(), asked)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        return soak(Path(folder).resolve(), asked)


def soak(home: Path, asked: argparse.Namespace) -> int:
    write_table(home / "table.csv")
    began = time.monotonic()
    if start(home, "calm", *QUICK, "--set", "reuse=false").wait() != 0:
        print((home / "calm.out").read_text(), file=sys.stderr)
        return 1
    duration = time.monotonic() - began
    storm = Storm(home, results(home / "runs" / "calm"), duration, seed=asked.seed)
    while storm.kills.total() < asked.kills and not storm.wrong:
        left = asked.minutes * 60 - (time.monotonic() - began)
        if left <= 0:
            break
        storm.blow(min(asked.kills, storm.kills.total() + 5), left)
        print(storm.summary, file=sys.stderr, flush=True)
    print(
        json.dumps(
            {
                "kills": storm.kills.total(),
                "by_kind": dict(storm.kills),
                "by_phase": dict(storm.phases),
                "calls": storm.calls,
                "runs": storm.runs,
                "seconds": round(time.monotonic() - began),
                "undisturbed_seconds": round(duration, 1),
                "wrong": storm.wrong,
            }
        )
    )
    return 1 if storm.wrong or not storm.runs else 0


if __name__ == "__main__":
    sys.exit(main())
