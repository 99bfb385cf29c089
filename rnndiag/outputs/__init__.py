"""Outputs: what is found as text. A folder for each kind of finding, one format a file.

``render(found, *, width, color, verbose)`` gives the text; a format that has no use for the
terminal's properties ignores them.
"""
