"""Recurrent cells against their equations, PyTorch, Keras and autograd."""
