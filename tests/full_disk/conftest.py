"""The hub that every sweep begins with."""

from tests.registry.hub_fixture import _no_settings, founded, stocked

__all__ = ["_no_settings", "founded", "stocked"]
