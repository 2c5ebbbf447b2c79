"""From source to site and back, end to end."""
