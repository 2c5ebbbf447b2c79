"""Artifact policies: in which form a model travels to one class of machines (DESIGN section 6)."""

from __future__ import annotations

from typing import Literal

ArtifactPolicy = Literal["portable", "as is", "prebuilt", "ahead of time", "build at site"]
