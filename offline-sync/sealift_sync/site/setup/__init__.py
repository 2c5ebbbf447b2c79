"""A site's home folder, how it is enrolled, and how a command opens it."""
