"""Figures of one checkpoint: what `rnndiag report` shows."""
