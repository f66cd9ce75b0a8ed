# Any run of the SuperLink, also one that somebody else submitted.
data "flower_run_metrics" "training" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.training.run_id
}

output "rounds" {
  value = [for round in coalesce(data.flower_run_metrics.training.rounds, []) : round.train.results]
}
