# A training that is repeated every night: a scheduled CI job applies this with the date.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

variable "night" {
  description = "The night of the training, such as 2026-11-29. Another value is another run."
  type        = string
}

locals {
  sites = {
    hospital-a = { partition = 0 }
    hospital-b = { partition = 1 }
  }
}

resource "flower_supernode_key" "site" {
  for_each = local.sites
  name     = each.key
}

resource "flower_superlink" "main" {
  name = "nightly"
  supernodes = {
    for name, key in flower_supernode_key.site : name => { public_key = key.public_key }
  }
}

resource "flower_supernode" "site" {
  for_each  = local.sites
  name      = each.key
  superlink = flower_superlink.main.fleet
  key       = flower_supernode_key.site[each.key].secret

  node_config = {
    partition-id = each.value.partition
  }
}

resource "flower_app_run" "nightly" {
  control    = flower_superlink.main.control
  source     = { path = "${path.module}/../quickstart/app" }
  run_config = { num-server-rounds = 1 }
  triggers   = { night = var.night }
  wait       = { nodes = [for node in flower_supernode.site : node.node_id] }
}

# The last week, newest first. A run that is replaced in the state stays on the SuperLink.
data "flower_runs" "week" {
  control    = flower_superlink.main.control
  app        = "example/quickstart"
  last       = 7
  depends_on = [flower_app_run.nightly]
}

# For plans between two nights: `TF_VAR_night=$(terraform output -raw night)` changes nothing.
output "night" {
  value = var.night
}

output "week" {
  value = [for run in data.flower_runs.week.runs : "${run.pending_at} ${run.status}:${run.sub_status}"]
}
