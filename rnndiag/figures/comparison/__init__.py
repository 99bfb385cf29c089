"""Figures of two checkpoints side by side: what `rnndiag compare -o DIR` shows."""
