"""How fast the parts are: `make bench`."""
