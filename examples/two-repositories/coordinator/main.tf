# The repository of whoever runs the training: a SuperLink and the list of hospitals that may join.
# Hospitals send their public key (a pull request to `hospitals`), and get `fleet` back.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

variable "hospitals" {
  type        = map(string)
  description = "The public key of each hospital's SuperNode, by the hospital's name."
  default     = {}
}

resource "flower_superlink" "main" {
  name       = "main"
  supernodes = { for name, key in var.hospitals : name => { public_key = key } }
}

output "fleet" {
  description = "For the hospitals: address, CA certificate and Flower release. All of it is public."
  value       = flower_superlink.main.fleet
}

output "nodes" {
  description = "The number of each hospital's SuperNode, for `wait.nodes` of a run."
  value       = flower_superlink.main.nodes
}
