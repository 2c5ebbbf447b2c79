"""sealift-sign, on the machine of whoever signs."""
