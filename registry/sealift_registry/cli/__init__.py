"""`sealift`: the hub's commands. Thin: they parse, call a use case and print what it says."""

from sealift_registry.cli.main import main

__all__ = ["main"]
