"""Tests of sealift_registry."""
