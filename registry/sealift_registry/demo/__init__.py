"""`make demo`: the whole journey, played with the real commands on real models."""
