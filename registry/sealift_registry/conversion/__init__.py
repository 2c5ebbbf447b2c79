"""A version becomes a variant for a hardware target, with proof that it still answers alike."""
