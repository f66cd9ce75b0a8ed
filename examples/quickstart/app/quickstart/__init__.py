"""A federated average that needs only Flower."""
