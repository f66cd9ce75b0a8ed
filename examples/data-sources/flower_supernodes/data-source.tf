data "flower_supernodes" "online" {
  control = flower_superlink.main.control
  status  = "online"

  # Reads the list after this resource is created.
  depends_on = [flower_supernode.hospital_a]
}

output "online" {
  value = { for node in data.flower_supernodes.online.supernodes : node.node_id => node.name }
}
