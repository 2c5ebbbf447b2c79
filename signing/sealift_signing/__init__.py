"""Sealift's rules of trust and the mathematics of its log, over bytes and without I/O."""
