terraform {
  required_providers {
    flower = {
      source = "flower/flower"
    }
  }
}

# Runs processes on this machine, which needs only Python 3.11 or newer.
provider "flower" {
  local = {
    data_dir = ".flower"
    python   = "python3"
  }
}
