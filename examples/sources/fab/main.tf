# A bundle that `flwr build` wrote. It is submitted byte for byte.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

variable "bundle" {
  description = "The path of the .fab file."
  type        = string
}

locals {
  source = {
    fab = {
      path = var.bundle
    }
  }
}

data "flower_app" "app" {
  source = local.source
}

resource "flower_superlink" "main" {
  name         = "fab"
  requirements = data.flower_app.app.dependencies
}

resource "flower_app_run" "training" {
  control = flower_superlink.main.control
  source  = local.source
}

output "app" {
  value = "${data.flower_app.app.publisher}/${data.flower_app.app.name} ${data.flower_app.app.version}"
}
