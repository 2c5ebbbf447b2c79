"""A bundle that was written, as it is shown: when it was waited for, and later as a job's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sealift_registry.shown.draft import draft_lines
from sealift_signing.drawing import pasted, word
from sealift_signing.vocabulary import counted, site_of


def exported_lines(made: Mapping[str, Any]) -> list[str]:
    """What was written, whole or all but its signature."""
    if "bundle" in made:
        bundle = made["bundle"]
        then = f"sealift submit FILE --medium {pasted([bundle['medium']])}"
        return [*waiting_lines(bundle), *draft_lines(made, (then,))]
    lines = [
        f"{made['transfer']} is written to {word(made['folder'])} and was read back:",
        *_carried(made),
    ]
    if made["again"]:
        lines += ["  An earlier run had begun it, and this one went on from there."]
    lines += warned_lines(made["warnings"])
    if made["unprotected"]:
        lines += ["", "UNPROTECTED: " + "; ".join(made["unprotected"]) + "."]
    return [*lines, "", f"At the site:  sealift-site import {pasted([made['folder']])}"]


def waiting_lines(bundle: Mapping[str, Any]) -> list[str]:
    """What waits on the medium for its signature."""
    where = word(bundle["medium"])
    return [
        f"{bundle['transfer']} is written to {where} and was read back, all but its signature:",
        *_carried(bundle),
        *warned_lines(bundle["warnings"]),
        "Keep the medium where you can vouch for it until then.",
    ]


def _carried(made: Mapping[str, Any]) -> list[str]:
    return [
        f"  {counted(made['files'], 'file')}, {counted(made['bytes'], 'byte')}",
        *(f"  {path}" for path in made["artifacts"]),
        *left_out_lines(made, site_of(made["transfer"])),
    ]


def left_out_lines(made: Mapping[str, Any], site: str) -> list[str]:
    """What stays at home and why; or why nothing does."""
    out, rows = made["left_out"], _check_rows(made["check_rows"])
    if out["blobs"]:
        what = f"{counted(out['blobs'], 'blob')}, {out['bytes']:,} bytes"
        (base,) = out["base"]
        return [
            f"  Left out: {what}, which {site} has by its receipt for {base}.",
            f"    If it has lost one:  sealift export {site} --full --to DIR",
            *rows,
        ]
    return ["  Nothing is left out: the bundle is full.", *rows]


def _check_rows(said: Mapping[str, Any]) -> list[str]:
    """How many files of check rows travel, and why others do not."""
    travelling = [f"  Check rows travel: {counted(said['files'], 'file')}."]
    return [*(travelling if said["files"] else []), *(f"  {one}" for one in said["staying"])]


def warned_lines(warnings: Sequence[str]) -> list[str]:
    """What somebody should know."""
    return [f"Warning: {one}" for one in warnings]
