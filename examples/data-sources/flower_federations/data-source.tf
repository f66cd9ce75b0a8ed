data "flower_federations" "all" {
  control = flower_superlink.main.control
}

output "federations" {
  value = { for one in data.flower_federations.all.federations : one.id => one.description }
}
