data "flower_supernodes" "online" {
  control = flower_superlink.main.control
  status  = "online"

  # Read after it, not beside it.
  depends_on = [flower_supernode.hospital_a]
}

output "online" {
  value = { for node in data.flower_supernodes.online.supernodes : node.node_id => node.name }
}
