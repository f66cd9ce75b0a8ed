"""The ServerApp: averages the numbers of the sites, and saves the result if it can."""

import os
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    fail_in = context.run_config["fail-in"]
    if fail_in == "server":
        raise RuntimeError("the ServerApp failed as asked")
    if fail_in == "never":
        time.sleep(600)
    result = FedAvg(min_available_nodes=2).start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros(1)]),
        num_rounds=context.run_config["num-server-rounds"],
    )
    (weights,) = result.arrays.to_numpy_ndarrays()
    print(f"the sites agreed on {float(weights[0]):.3f}")
    # `artifacts` of the SuperLink gives each run a folder to leave files in.
    if artifacts := os.environ.get("FLOWER_ARTIFACTS_DIR"):
        folder = Path(artifacts, str(context.run_id))
        folder.mkdir()
        np.savez(folder / "model.npz", weights=weights)
