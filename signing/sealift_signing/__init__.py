"""Sealift's rules of trust, the mathematics of its log, and the desk where people sign."""
