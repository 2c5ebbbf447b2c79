"""Tests of sealift_sync."""
