# An app in a Git repository. Without `follow`, the run keeps the commit that it was submitted with.

terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

provider "flower" {}

variable "url" {
  description = "Such as https://example.org/team/apps.git or git@example.org:team/apps.git."
  type        = string
}

variable "ref" {
  description = "A branch, a tag or a commit."
  type        = string
  default     = "main"
}

locals {
  source = {
    git = {
      url          = var.url
      ref          = var.ref
      subdirectory = "app"
      follow       = true
      # For a private repository over https; over ssh, your ssh configuration is used:
      # password_file = "~/.config/team/token"
    }
  }
}

data "flower_app" "app" {
  source = local.source
}

resource "flower_superlink" "main" {
  name         = "git"
  requirements = data.flower_app.app.dependencies
}

resource "flower_app_run" "training" {
  control = flower_superlink.main.control
  source  = local.source
}

output "app" {
  value = "${data.flower_app.app.publisher}/${data.flower_app.app.name} ${data.flower_app.app.version}"
}

output "commit" {
  value = flower_app_run.training.resolved_commit
}
