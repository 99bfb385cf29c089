"""Figures of a training run: what `rnndiag track -o DIR` shows."""
