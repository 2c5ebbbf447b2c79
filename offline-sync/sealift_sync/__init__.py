"""The medium between hub and site, and the isolated site itself."""
