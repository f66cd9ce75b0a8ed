# The repository of the coordinator, who runs the training: a SuperLink and the list of hospitals that
# may join. A hospital sends its public key (a pull request to `hospitals`), and gets `fleet` back.

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
  description = "For the hospitals: address, CA certificate and Flower version. These values are public."
  value       = flower_superlink.main.fleet
}

output "nodes" {
  description = "The node ID of each hospital's SuperNode, for `wait.nodes` of a run."
  value       = flower_superlink.main.nodes
}
