"""Outputs: one format a file, each a pure function of the report.

``render(report, *, width, color, verbose)`` gives the text; a format that has no use for
the terminal's properties ignores them.
"""
