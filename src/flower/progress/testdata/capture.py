"""Prints the log of a strategy of the installed Flower, with nodes that this program plays.

    python capture.py message|legacy|failing|waiting STRATEGY > flwr-VERSION-….log

The strategies are Flower's own and log as in a ServerApp. The second node of `failing` replies with
an error in round 2, and both do in round 3.
"""

import importlib
import sys
import types

import numpy as np

try:
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1
except ImportError:
    pass

what, strategy_name = sys.argv[1:3]
NODES = [1234567890123456789, 17446744073709551615]
ROUNDS = 3


def reply(message, content):
    try:
        from flwr.app import Message

        return Message(content, reply_to=message)
    except (ImportError, TypeError):
        return message.create_reply(content)


def failure(message, reason):
    try:
        from flwr.app import Error, Message

        return Message(Error(code=4, reason=reason), reply_to=message)
    except (ImportError, TypeError):
        from flwr.common import Error

        return message.create_error_reply(Error(code=4, reason=reason))


def base():
    try:
        from flwr.serverapp import Grid

        return Grid
    except ImportError:
        pass
    try:
        from flwr.server import Grid

        return Grid
    except ImportError:
        from flwr.server import Driver

        return Driver


class Played(base()):
    """Nodes in memory."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = 0

    def set_run(self, run):
        pass

    @property
    def run(self):
        return types.SimpleNamespace(run_id=1)

    def create_message(self, content, message_type, dst_node_id, group_id, ttl=None):
        from flwr.common import Message, Metadata

        metadata = Metadata(
            run_id=1, message_id="", src_node_id=1, dst_node_id=dst_node_id,
            reply_to_message="", group_id=group_id, ttl=3600.0, message_type=message_type,
        )
        return Message(metadata=metadata, content=content)

    def get_node_ids(self):
        self.asked += 1
        return NODES[:1] if what == "waiting" and self.asked < 3 else NODES

    def push_messages(self, messages):
        raise NotImplementedError

    def pull_messages(self, message_ids):
        raise NotImplementedError

    def send_and_receive(self, messages, *, timeout=None):
        replies = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = "1"
            replies.append(self.answer(message))
        return replies


def with_message_api():
    from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict
    from flwr.serverapp import strategy as strategies

    def answer(message):
        config = message.content["config"]
        number = config["server-round"]
        first = message.metadata.dst_node_id == NODES[0]
        if what == "failing" and (number == 3 or (number == 2 and not first)):
            return failure(message, "<class 'RuntimeError'>:<'no data'>")
        metrics = {"loss": 1 / (number + 1), "num-examples": 10, "scores": [0.5, 1 / number]}
        content = {"metrics": MetricRecord(metrics)}
        if message.metadata.message_type.startswith("train"):
            content["arrays"] = message.content["arrays"]
        return reply(message, RecordDict(content))

    def evaluate(number, arrays):
        return MetricRecord({"accuracy": 1 - 0.5**number, "steps": number, "off": float("nan")})

    more = {"proximal_mu": 0.1} if strategy_name == "FedProx" else {}
    strategy = getattr(strategies, strategy_name)(**more)
    arrays = ArrayRecord([np.zeros(3, dtype=np.float64)])
    strategy.start(
        grid=Played(answer),
        initial_arrays=arrays,
        num_rounds=ROUNDS,
        train_config=ConfigRecord({"lr": 0.1}),
        evaluate_fn=evaluate,
    )


def legacy_records():
    """The module that converts the legacy messages, and the type of their records."""
    from flwr import common

    for module in (
        "flwr.compat.common.recorddict_compat",
        "flwr.common.recorddict_compat",
        "flwr.common.recordset_compat",
    ):
        try:
            return importlib.import_module(module), getattr(common, "RecordDict", None) or common.RecordSet
        except ImportError:
            pass
    raise SystemExit("no module converts the legacy messages")


def with_legacy_api():
    from flwr.common import (
        Code, Context, EvaluateRes, FitRes, Status, ndarrays_to_parameters,
    )

    compat, record = legacy_records()
    from flwr.server import LegacyContext, ServerConfig, strategy as strategies
    from flwr.server.workflow import DefaultWorkflow

    ok = Status(Code.OK, "")
    parameters = ndarrays_to_parameters([np.zeros(3)])
    number = 0

    def answer(message):
        nonlocal number
        first = message.metadata.dst_node_id == NODES[0]
        number = int(message.metadata.group_id)
        if what == "failing" and (number == 3 or (number == 2 and not first)):
            return failure(message, "<class 'RuntimeError'>:<'no data'>")
        if message.metadata.message_type.startswith("train"):
            res = FitRes(ok, parameters, 10, {"train_loss": 1 / (number + 1), "a_long_name": number / 3})
            convert = getattr(compat, "fitres_to_recorddict", None) or compat.fitres_to_recordset
            return reply(message, convert(res, True))
        res = EvaluateRes(ok, 1 / (number + 1), 10, {"accuracy": number / 4})
        convert = getattr(compat, "evaluateres_to_recorddict", None)
        return reply(message, (convert or compat.evaluateres_to_recordset)(res))

    def average(all_metrics):
        total = sum(examples for examples, _ in all_metrics)
        names = all_metrics[0][1]
        return {n: np.float64(sum(e * m[n] for e, m in all_metrics) / total) for n in names}

    def evaluate(number, _arrays, _config):
        return 2 / (number + 2), {"accuracy": np.float64(1 - 0.5**number)}

    more = {"proximal_mu": 0.1} if strategy_name == "FedProx" else {}
    strategy = getattr(strategies, strategy_name)(
        initial_parameters=parameters,
        fit_metrics_aggregation_fn=average,
        evaluate_metrics_aggregation_fn=average,
        evaluate_fn=evaluate,
        **more,
    )
    context = Context(run_id=1, node_id=1, node_config={}, state=record(), run_config={})
    context = LegacyContext(context, config=ServerConfig(num_rounds=ROUNDS), strategy=strategy)
    DefaultWorkflow()(Played(answer), context)


if what == "legacy" or (what == "failing" and len(sys.argv) > 3):
    with_legacy_api()
else:
    with_message_api()
