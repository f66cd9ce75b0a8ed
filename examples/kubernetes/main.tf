# A whole federation in one namespace of one cluster: a SuperLink, two SuperNodes with keys, and one
# training run. Only the provider block differs from examples/quickstart.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

variable "config_path" {
  type        = string
  description = "The kubeconfig file of the cluster."
}

variable "config_context" {
  type        = string
  description = "The context in the kubeconfig file."
}

variable "namespace" {
  type        = string
  description = "The namespace, which must exist; it may enforce the Pod Security Standard \"restricted\"."
}

variable "image_prefix" {
  type        = string
  description = "A prefix for the names of Flower's images, for a mirror."
  default     = ""
}

provider "flower" {
  kubernetes = {
    config_path    = var.config_path
    config_context = var.config_context
    namespace      = var.namespace
    image_prefix   = var.image_prefix
  }
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
  name      = "main"
  isolation = "process"

  supernodes = {
    for name, key in flower_supernode_key.site : name => { public_key = key.public_key }
  }

  persistence = { size = "1Gi" }

  kubernetes = {
    resources = {
      requests = { cpu = "100m", memory = "256Mi" }
    }
  }
}

resource "flower_supernode" "site" {
  for_each  = local.sites
  name      = each.key
  superlink = flower_superlink.main.fleet
  key       = flower_supernode_key.site[each.key].secret
  isolation = "process"

  node_config = {
    partition-id   = each.value.partition
    num-partitions = length(local.sites)
    data-path      = "/data"
  }

  kubernetes = {
    volumes = {
      # The data of the site: a claim, Secret or ConfigMap; an empty folder in this example.
      data = { mount_path = "/data", empty_dir = {} }
    }
  }
}

resource "flower_app_run" "training" {
  control    = flower_superlink.main.control
  source     = { path = "${path.module}/../quickstart/app" }
  run_config = { num-server-rounds = 1 }
  wait       = { nodes = [for node in flower_supernode.site : node.node_id] }
}

output "run" {
  value = "${flower_app_run.training.run_id} ${flower_app_run.training.status}:${flower_app_run.training.sub_status}"
}
