"""The hub's TUF repository: set up once, then published version by version, with the log entry."""
