# Any run of the SuperLink, also one that somebody else submitted.
data "flower_run_metrics" "training" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.training.run_id
}

output "rounds" {
  value = try([for round in data.flower_run_metrics.training.rounds : try(round.train.results, null)], [])
}
