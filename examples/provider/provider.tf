terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

# Processes on this machine; nothing else to install but Python 3.11 or newer.
provider "flower" {
  local = {
    data_dir = ".flower"
    python   = "python3"
  }
}
