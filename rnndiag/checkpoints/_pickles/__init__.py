"""Pickles read as data: a stack machine that imports and calls nothing."""
