data "flower_app" "trainer" {
  source = { path = "${path.module}/app" }
}

# Installs the dependencies of the app where its ServerApp runs.
resource "flower_superlink" "trainer" {
  name         = "trainer"
  requirements = data.flower_app.trainer.dependencies
}
