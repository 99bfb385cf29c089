"""The run: a graph becomes a network, and what its recurrent layers do on a probe is recorded.

`execution` is its story.
"""
