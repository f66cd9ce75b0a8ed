# The repository of one hospital. The first apply, without `fleet`, creates the key. The second apply,
# with the `fleet` output of the coordinator, starts the SuperNode.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

variable "name" {
  type        = string
  description = "The hospital's name."
}

variable "fleet" {
  type = object({
    address        = string
    ca_certificate = string
    insecure       = bool
    flower_version = string
  })
  description = "The coordinator's output `fleet`; null before the coordinator has sent it."
  default     = null
}

resource "flower_supernode_key" "this" {
  name = var.name
}

resource "flower_supernode" "this" {
  count       = var.fleet == null ? 0 : 1
  name        = var.name
  superlink   = var.fleet
  key         = flower_supernode_key.this.secret
  node_config = { site = var.name }
}

output "public_key" {
  description = "For the coordinator. The private key never leaves this hospital."
  value       = flower_supernode_key.this.public_key
}
