"""A hub goes from one place to another, whole and verified, and is never in two at once."""
