resource "flower_superlink" "main" {
  name      = "main"
  isolation = "process"

  supernodes = {
    hospital-a = { public_key = flower_supernode_key.hospital_a.public_key }
  }
}
