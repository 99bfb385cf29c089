"""The formats of a sweep: one a file, each a pure function of it.

``render(sweep, *, width, color, verbose)`` gives the text; a format that has no use for the
terminal's properties ignores them.
"""
