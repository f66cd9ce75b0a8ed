import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context


class Site(NumPyClient):
    def get_parameters(self, config):
        return [np.zeros(1)]

    def fit(self, parameters, config):
        return [parameters[0] + 1], 1, {}

    def evaluate(self, parameters, config):
        return 0.0, 1, {}


def client_fn(context: Context):
    return Site().to_client()


app = ClientApp(client_fn=client_fn)
