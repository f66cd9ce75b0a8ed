# A training without SuperNodes: Flower simulates them on this machine, to try an app before there
# are real ones.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

resource "flower_superlink" "main" {
  name = "simulation"
  simulation = {
    num_supernodes            = 10
    client_resources_num_cpus = 1
  }
}

resource "flower_app_run" "training" {
  control    = flower_superlink.main.control
  source     = { path = "${path.module}/../quickstart/app" }
  run_config = { num-server-rounds = 2 }
  # Only for real SuperNodes: a simulated run waits for none.
  wait = { min_nodes = 2 }
}

output "run" {
  value = "${flower_app_run.training.run_id} ${flower_app_run.training.status}:${flower_app_run.training.sub_status}"
}
