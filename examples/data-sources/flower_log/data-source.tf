data "flower_log" "superlink" {
  superlink = flower_superlink.main.name
  last      = 500
}

output "errors" {
  value = [for line in data.flower_log.superlink.lines : line if startswith(line, "ERROR")]
}
