"""The hub: takes models in, converts, promotes, signs and sends them to sites."""
