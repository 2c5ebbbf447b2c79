"""A hub of today, for software of before."""

from tests.registry.hub_fixture import founded, stocked

__all__ = ["founded", "stocked"]
