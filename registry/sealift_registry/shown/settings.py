"""The hub's policy and its settings, as they are shown."""

from __future__ import annotations

from typing import Any

from sealift_registry.shown.told import Told
from sealift_registry.storage.home import Settings
from sealift_registry.storage.told_settings import flat, without_places
from sealift_signing import shape
from sealift_signing.acts import policy_words
from sealift_signing.drawing import word
from sealift_signing.policy import Policy


def policy(found: Policy) -> Told:
    """The policy as it was signed: what each stage asks."""
    return Told({"policy": dict(shape.to_json(found))}, policy_words.policy(found))


def settings(found: Settings, *, places: bool) -> Told:
    """The settings, by section; where things are only with `places`, secrets in no case."""
    named = flat(found) if places else without_places(flat(found))
    sections: dict[str, dict[str, Any]] = {one: {} for one in found.sections}
    for name, value in named.items():
        section, _, setting = name.rpartition(".")
        sections[section][setting] = value
    lines = [f"{name} = {word(str(value))}" for name, value in named.items()]
    return Told({"settings": sections}, lines)
