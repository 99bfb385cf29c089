"""Evidence: what is known of a training beside the checkpoint's own tensors.

Loss histories, series of earlier checkpoints, trials, a user's context file; and `settings`,
which lays the checkpoint's own facts and the context together.
"""
