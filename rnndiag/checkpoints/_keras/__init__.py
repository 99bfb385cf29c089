"""What the Keras formats share: from the groups of a file to layers with their weights."""
