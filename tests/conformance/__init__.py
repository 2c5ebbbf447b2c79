"""TUF's own conformance suite, run against our walk: `make conformance SUITE=DIR`."""
