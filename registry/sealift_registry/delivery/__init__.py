"""Sites, what they should run, what was carried to them, and what they answered."""
