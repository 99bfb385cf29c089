"""Outputs: one format a file, each a pure function of the outcome.

``render(outcome, *, width, color, verbose)`` gives the text; a format that has no use for
the terminal's properties ignores them.
"""
