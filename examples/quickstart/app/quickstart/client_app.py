"""The ClientApp of a site: moves the shared number towards the number of the site."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


def _target(context: Context) -> float:
    return 1.0 + float(context.node_config.get("partition-id", 0))


@app.train()
def train(message: Message, context: Context) -> Message:
    if context.run_config["fail-in"] == "client":
        raise RuntimeError("the ClientApp failed as asked")
    (weights,) = message.content["arrays"].to_numpy_ndarrays()
    step = context.run_config["lr"] * (_target(context) - weights)
    reply = RecordDict(
        {
            "arrays": ArrayRecord([np.asarray(weights + step)]),
            "metrics": MetricRecord({"num-examples": 1}),
        }
    )
    return Message(content=reply, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    (weights,) = message.content["arrays"].to_numpy_ndarrays()
    error = abs(_target(context) - float(weights[0]))
    reply = RecordDict({"metrics": MetricRecord({"error": error, "num-examples": 1})})
    return Message(content=reply, reply_to=message)
