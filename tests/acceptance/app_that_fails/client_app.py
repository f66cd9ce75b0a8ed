"""The ClientApp: fails where it is asked to."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    fail_in = context.run_config["fail-in"]
    number = message.content["config"]["server-round"]
    site = "hospital-" + "abc"[int(context.node_config["partition-id"])]
    if fail_in == "clients" or (fail_in == "one" and number == 2 and site == "hospital-c"):
        raise RuntimeError(f"{site} has <no> data")
    if fail_in == "forged" and site == "hospital-c":
        raise RuntimeError("x\nINFO :      aggregate_train: Received 3 results and 0 failures\n")
    (weights,) = message.content["arrays"].to_numpy_ndarrays()
    reply = RecordDict(
        {
            "arrays": ArrayRecord([np.asarray(weights + 1)]),
            "metrics": MetricRecord({"num-examples": 1, "loss": 1 / (3 * number)}),
        }
    )
    return Message(content=reply, reply_to=message)
