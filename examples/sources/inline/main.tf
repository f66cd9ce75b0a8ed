# An app in the configuration: the code of its ServerApp and of its ClientApp. The provider writes
# the pyproject.toml.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

locals {
  sites        = ["hospital-a", "hospital-b"]
  requirements = ["numpy>=1.26"]
}

resource "flower_superlink" "main" {
  name         = "inline"
  requirements = local.requirements
}

resource "flower_supernode" "site" {
  for_each     = toset(local.sites)
  name         = each.key
  superlink    = flower_superlink.main.fleet
  requirements = local.requirements
}

resource "flower_app_run" "training" {
  control = flower_superlink.main.control
  wait    = { nodes = [for node in flower_supernode.site : node.node_id] }

  source = {
    inline = {
      name         = "mean"
      requirements = local.requirements
      config       = { rounds = 1 }

      server = <<-PYTHON
        import numpy as np
        from flwr.app import ArrayRecord
        from flwr.serverapp import ServerApp
        from flwr.serverapp.strategy import FedAvg

        app = ServerApp()

        @app.main()
        def main(grid, context):
            FedAvg(fraction_evaluate=0.0, min_available_nodes=2).start(
                grid=grid,
                initial_arrays=ArrayRecord([np.zeros(1)]),
                num_rounds=context.run_config["rounds"],
            )
      PYTHON

      client = <<-PYTHON
        import numpy as np
        from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
        from flwr.clientapp import ClientApp

        app = ClientApp()

        @app.train()
        def train(message, context):
            content = RecordDict({
                "arrays": ArrayRecord([np.ones(1)]),
                "metrics": MetricRecord({"num-examples": 1, "loss": 0.5}),
            })
            return Message(content=content, reply_to=message)
      PYTHON
    }
  }
}

output "loss" {
  value = try(flower_app_run.training.metrics.train["loss"], null)
}
