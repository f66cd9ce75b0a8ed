data "flower_app" "trainer" {
  source = { path = "${path.module}/app" }
}

# What the app needs is installed where its ServerApp runs.
resource "flower_superlink" "trainer" {
  name         = "trainer"
  requirements = data.flower_app.trainer.dependencies
}
