"""How many rows a page of a list has: apart from what reads them, which takes long to load."""

from __future__ import annotations

USUAL = 100
"""Where nobody says how many."""
LARGEST = 10_000
"""Whoever wants all of a longer list asks page by page."""
