"""A federated average that needs nothing but Flower."""
