"""Findings as words: what the formats of one kind say alike, and pages and figures with them."""
