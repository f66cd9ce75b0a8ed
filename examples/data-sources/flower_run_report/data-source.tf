data "flower_run_report" "training" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.training.run_id
}

output "summary" {
  value = data.flower_run_report.training.markdown
}
