resource "flower_app_run" "training" {
  control    = flower_superlink.main.control
  source     = { path = "${path.module}/app" }
  run_config = { num-server-rounds = 5 }
  wait       = { nodes = [flower_supernode.hospital_a.node_id] }
}
