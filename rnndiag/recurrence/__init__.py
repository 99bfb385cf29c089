"""A recurrence over time: the run, the way back through it, and what is seen of both.

`unrolling` runs a cell, and `observing` sums up what it did; `backpropagation` gives the total
gradients of a loss and `following` single vectors at any magnitude; in a network's graph
`journal` is all of that as one node, of which `arriving` hears.
"""
