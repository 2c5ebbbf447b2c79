"""Sealift's tests, by what they test; journey/ and attacks/ cross all of it."""
