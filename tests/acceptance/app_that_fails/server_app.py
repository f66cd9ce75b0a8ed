"""The ServerApp: trains, evaluates by itself, and does not care whether a site replied."""

import numpy as np
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord:
    return MetricRecord({"accuracy": 1 - 0.3**number, "steps": 2**53 + number, "off": float("nan")})


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes = 4 if context.run_config["fail-in"] == "waiting" else 3
    FedAvg(fraction_evaluate=0.0, min_train_nodes=nodes, min_available_nodes=nodes).start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros(1)]),
        num_rounds=context.run_config["num-server-rounds"],
        evaluate_fn=evaluate,
    )
