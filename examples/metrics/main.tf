# A training whose result decides: the apply fails if the model is not good enough, a report shows
# how the training went, and the model is downloaded.

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
  name = "metrics"

  # A folder in which ServerApps leave files, such as the trained model.
  artifacts = {}

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

resource "flower_app_run" "training" {
  control    = flower_superlink.main.control
  source     = { path = "${path.module}/../quickstart/app" }
  run_config = { num-server-rounds = 2 }

  # The apply fails if any site fails, and if the run waits for a site longer than two minutes.
  on_client_failure = "error"
  wait = {
    nodes         = [for node in flower_supernode.site : node.node_id]
    stall_timeout = "2m"
    on_stall      = "error"
  }

  # Rewritten while the apply runs. In a GitHub workflow, append the Markdown to
  # $GITHUB_STEP_SUMMARY.
  report = {
    path     = "${path.root}/reports/training.html"
    markdown = "${path.root}/reports/training.md"
  }

  # The files that the ServerApp left, verified by their SHA-256.
  artifacts = {
    download_to = "${path.root}/model"
  }

  lifecycle {
    postcondition {
      # `try`: a metric that is missing or NaN does not pass.
      condition     = try(self.metrics.evaluate["error"] < 1, false)
      error_message = "The model is not good enough: error ${try(coalesce(tostring(self.metrics.evaluate["error"])), "not known")}."
    }
  }
}

# A check warns and does not fail the apply.
check "every_site_took_part" {
  assert {
    condition     = try(alltrue([for round in flower_app_run.training.rounds : round.train.failures == 0]), false)
    error_message = "A site failed in a round, or the rounds are not known yet: see reports/training.html."
  }
}

output "run" {
  value = try("${flower_app_run.training.run_id} ${flower_app_run.training.status}:${flower_app_run.training.sub_status}", null)
}

output "metrics" {
  value = try(flower_app_run.training.metrics.evaluate, null)
}

output "model" {
  value = try(flower_app_run.training.artifact_files["model.npz"].sha256, null)
}

output "bytes" {
  value = try(flower_app_run.training.usage.bytes_sent + flower_app_run.training.usage.bytes_received, null)
}
