"""What surrounds recurrence: one file a family of Keras layers, rebuilt in torch."""
