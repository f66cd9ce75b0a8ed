data "flower_runs" "running" {
  control = flower_superlink.main.control
  status  = "running"

  # Reads the list after this resource is created.
  depends_on = [flower_app_run.training]
}

output "running" {
  value = [for run in data.flower_runs.running.runs : run.run_id]
}
