"""`[builders]` of settings.toml: what is built on other machines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuilderSettings:
    """Which variants builders on other machines build, and where they put them.

    Attributes:
        hardware_targets: whose variants; with commas between.
        inbox: `s3://BUCKET/PREFIX`, at the server where the hub's own blobs are: builders write
            there, and the hub believes nothing of it.
    """

    hardware_targets: str = ""
    inbox: str = ""

    @property
    def build(self) -> frozenset[str]:
        """The hardware targets, each by itself."""
        return frozenset(filter(None, map(str.strip, self.hardware_targets.split(","))))
