# An app in an archive: of this machine, or of a server.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

variable "archive" {
  description = "The path of a zip, tar or tar.gz."
  type        = string
}

locals {
  source = {
    archive = {
      path   = var.archive
      sha256 = filesha256(var.archive)
      # Of a server:
      # url    = "https://example.org/apps/app-1.0.tar.gz"
      # sha256 = "…"
    }
  }
}

data "flower_app" "app" {
  source = local.source
}

resource "flower_superlink" "main" {
  name         = "archive"
  requirements = data.flower_app.app.dependencies
}

resource "flower_app_run" "training" {
  control = flower_superlink.main.control
  source  = local.source
}

output "app" {
  value = "${data.flower_app.app.publisher}/${data.flower_app.app.name} ${data.flower_app.app.version}"
}
