"""What became of an artifact at a site, in words."""

from __future__ import annotations

from sealift_signing.drawing import drawn
from sealift_signing.statements import NO_LONGER_ASSIGNED, NO_MORE, RETIRED, ArtifactOutcome


def outcome_line(artifact: ArtifactOutcome) -> str:
    """What became of it; why, of one that was held or is assigned no more."""
    is_told = artifact.outcome == "held" or artifact.code in NO_MORE
    why = f": {drawn(artifact.words)}" if is_told else ""
    return f"{became(artifact)} {artifact.group}: {artifact.artifact}{why}"


def became(artifact: ArtifactOutcome) -> str:
    """The word for it, as the site's own import says it."""
    return {RETIRED: "retired", NO_LONGER_ASSIGNED: "kept"}.get(artifact.code, artifact.outcome)
