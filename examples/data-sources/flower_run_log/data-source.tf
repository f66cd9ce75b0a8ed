data "flower_run_log" "training" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.training.run_id
  last    = 50
}

output "log" {
  value = join("\n", data.flower_run_log.training.lines)
}
