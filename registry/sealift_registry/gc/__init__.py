"""What is no longer needed: found, told, and removed."""
