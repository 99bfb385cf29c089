"""What rnndiag has written and reads back: reports as JSON, and baselines of known findings."""
