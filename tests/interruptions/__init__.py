"""Commands that are cut at any moment, stopped by Ctrl-C, or run twice at once."""
