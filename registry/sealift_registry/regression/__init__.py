"""What would change with a version: compared with the one that is listed for the same stage."""
