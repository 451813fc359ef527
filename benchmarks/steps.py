"""CPU seconds and memory of a training step on long series: NeuralForecast's own, and Forerun's.

    python benchmarks/steps.py [--model DLinear] [--series 32] [--length 5000] [--steps 20]

Both end with the same weights, which is checked.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from contextlib import nullcontext

from measuring import PYTHON, table

WAYS = ("NeuralForecast", "Forerun")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="DLinear")
    parser.add_argument("--series", type=int, default=32)
    parser.add_argument("--length", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(trained(asked)))
        return
    own = [PYTHON, __file__, *sys.argv[1:]]
    found = [
        json.loads(subprocess.run([*own, "--way", way], check=True, stdout=subprocess.PIPE).stdout)
        for way in WAYS
    ]
    table([{key: value for key, value in row.items() if key != "weights"} for row in found])
    if found[0]["weights"] != found[1]["weights"]:
        raise SystemExit("the weights differ")


def trained(asked: argparse.Namespace) -> dict[str, object]:
    """Train in this process; return the costs and the weights."""
    import numpy as np
    import pandas as pd
    import torch

    from forerun.config.models import specs
    from forerun.config.settings import resolve
    from forerun.data import prepare, split
    from forerun.forecasting.engines import neural_steps
    from forerun.forecasting.engines.base import Data, get_engine

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if asked.way == WAYS[0]:
        neural_steps.less_overhead = nullcontext
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{n}" for n in range(asked.series)], asked.length),
            "ds": np.tile(np.arange(asked.length), asked.series),
            "y": np.random.default_rng(1).normal(size=asked.series * asked.length),
        }
    )
    settings = resolve(
        {"models": [asked.model], "baselines": [], "horizon": 24, "input_size": 168}
        | {"n_windows": 1, "max_steps": asked.steps, "freq": 1, "season_length": 24}
    )
    data = Data(*split(prepare(frame, settings).frame, settings))
    began = time.process_time()
    fitted = get_engine("neuralforecast").fit(specs(settings)[0], settings, data, lambda *_: None)
    return {
        "step of": asked.way,
        "CPU s of a step": (time.process_time() - began) / asked.steps,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "weights": [p.detach().numpy().tobytes().hex() for p in fitted.models[0].parameters()],
    }


if __name__ == "__main__":
    main()
