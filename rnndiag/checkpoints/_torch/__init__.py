"""What the PyTorch formats share: from storages to modules with their weights."""
