"""Tests of sealift_signing."""
