"""The formats of a plan: one a file, each a pure function of the plan.

``render(plan, *, width, color, verbose)`` gives the text; a format that has no use for
the terminal's properties ignores them.
"""
