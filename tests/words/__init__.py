"""Hostile words in every text field there is, and what commands then tell."""
