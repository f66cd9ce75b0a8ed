# A whole federation on this machine: a SuperLink, two SuperNodes with keys, and one training run.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

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
  name = "quickstart"
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
    partition-id   = each.value.partition
    num-partitions = length(local.sites)
    site           = each.key
  }
}

resource "flower_app_run" "training" {
  control    = flower_superlink.main.control
  source     = { path = "${path.module}/app" }
  run_config = { num-server-rounds = 2 }
  wait       = { nodes = [for node in flower_supernode.site : node.node_id] }
}

output "superlink" {
  value = flower_superlink.main.control.url
}

output "supernodes" {
  value = { for name, node in flower_supernode.site : name => "${node.node_id} ${node.status}" }
}

output "run" {
  value = "${flower_app_run.training.run_id} ${flower_app_run.training.status}:${flower_app_run.training.sub_status}"
}
