"""Report folders: pictures, a page to open, Markdown and numbers, published as a whole.

A `Page` is what there is to tell, in order; each file that is made of it is a function of it.
"""
