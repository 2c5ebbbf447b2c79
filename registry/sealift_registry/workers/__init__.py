"""Subprocesses that touch what strangers made: JSON in, JSON out, limits around them."""
