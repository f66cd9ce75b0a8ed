resource "flower_supernode_key" "hospital_a" {
  name     = "hospital-a"
  rotation = "2026-11"
}
