"""Power cuts: what a run wrote is recorded, and replayed with whatever was not flushed lost."""
