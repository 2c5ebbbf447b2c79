"""Support for random journeys: what people do, done and foretold at once."""
