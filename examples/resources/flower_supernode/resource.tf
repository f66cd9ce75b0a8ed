resource "flower_supernode" "hospital_a" {
  name      = "hospital-a"
  superlink = flower_superlink.main.fleet
  key       = flower_supernode_key.hospital_a.secret

  node_config = {
    partition-id = 0
    data-path    = "/data/cohort 1"
  }
}
