"""Recurrent cells: one file a cell, its equations, their linearisation, its packings."""
