"""The typed client of a hub's server: what a desk asks, and what it believes of the answers."""
