# Two tenants, two clusters, two provider aliases: tenant a runs the SuperLink and its own SuperNode,
# tenant b runs a SuperNode in its cluster. Only public values are exchanged: b's public key, and the
# address and CA certificate of the SuperLink. Private keys stay in their clusters.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

variable "config_path" {
  type        = string
  description = "A kubeconfig file with both contexts; two files work, too."
}

variable "context" {
  type        = object({ a = string, b = string })
  description = "The contexts of the two clusters."
}

variable "namespace" {
  type        = object({ a = string, b = string })
  description = "The namespaces, which must exist."
}

variable "superlink_host" {
  type        = string
  description = "A name or address of a node of tenant a's cluster that tenant b's pods can reach."
}

variable "node_port" {
  type        = number
  description = "The node port of the SuperLink on this node."
  default     = 30092
}

variable "image_prefix" {
  type        = string
  description = "A prefix for the names of Flower's images, for a mirror."
  default     = ""
}

provider "flower" {
  alias = "a"
  kubernetes = {
    config_path    = var.config_path
    config_context = var.context.a
    namespace      = var.namespace.a
    image_prefix   = var.image_prefix
  }
}

provider "flower" {
  alias = "b"
  kubernetes = {
    config_path    = var.config_path
    config_context = var.context.b
    namespace      = var.namespace.b
    image_prefix   = var.image_prefix
  }
}

resource "flower_supernode_key" "a" {
  provider = flower.a
  name     = "site-a"
}

resource "flower_supernode_key" "b" {
  provider = flower.b
  name     = "site-b"
}

resource "flower_superlink" "main" {
  provider = flower.a
  name     = "main"

  supernodes = {
    site-a = { public_key = flower_supernode_key.a.public_key, location = "52.52,13.40" }
    site-b = { public_key = flower_supernode_key.b.public_key, location = "48.14,11.58" }
  }

  service = {
    service_type = "NodePort"
    node_port    = var.node_port
    hostname     = var.superlink_host
  }
}

resource "flower_supernode" "a" {
  provider    = flower.a
  name        = "site-a"
  superlink   = flower_superlink.main.fleet
  key         = flower_supernode_key.a.secret
  node_config = { partition-id = 0 }
}

resource "flower_supernode" "b" {
  provider    = flower.b
  name        = "site-b"
  superlink   = flower_superlink.main.fleet
  key         = flower_supernode_key.b.secret
  node_config = { partition-id = 1 }
}

resource "flower_app_run" "training" {
  provider   = flower.a
  control    = flower_superlink.main.control
  source     = { path = "${path.module}/../quickstart/app" }
  run_config = { num-server-rounds = 1 }
  wait       = { nodes = [flower_supernode.a.node_id, flower_supernode.b.node_id] }
}

output "run" {
  value = "${flower_app_run.training.run_id} ${flower_app_run.training.status}:${flower_app_run.training.sub_status}"
}
