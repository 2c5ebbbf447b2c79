"""`make compose-test`: docker-compose.yml, run as operators run it, with a journey over it."""
