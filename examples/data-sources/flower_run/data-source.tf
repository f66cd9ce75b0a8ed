data "flower_run" "training" {
  control = flower_superlink.main.control
  run_id  = flower_app_run.training.run_id
}

output "training" {
  value = "${data.flower_run.training.app} ${data.flower_run.training.sub_status}"
}
