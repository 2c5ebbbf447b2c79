"""Real servers that tests start: each comes as a wheel, and ends with the tests."""
