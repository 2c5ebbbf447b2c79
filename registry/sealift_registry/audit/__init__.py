"""The hub's append-only log: one writer and its readers. It knows no nouns: rooms build entries."""
