import time

import numpy as np
from logging import INFO
from flwr.common.logger import log
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg


def server_fn(context: Context) -> ServerAppComponents:
    fail_in = context.run_config["fail-in"]
    if fail_in == "server":
        # Some releases treat a RuntimeError as a refused run, and hide its message.
        raise ValueError("the ServerApp failed as asked")
    if fail_in == "never":
        time.sleep(600)
    log(INFO, "the ServerApp speaks")
    # Each message to a site starts a Python program: one to each of two is enough.
    strategy = FedAvg(
        fraction_evaluate=0.0,
        min_fit_clients=2,
        min_available_clients=2,
        initial_parameters=ndarrays_to_parameters([np.zeros(1)]),
    )
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=1))


app = ServerApp(server_fn=server_fn)
