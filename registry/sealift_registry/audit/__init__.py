"""The hub's append-only log: its one writer, and its readers. It knows no nouns: rooms build entries."""
