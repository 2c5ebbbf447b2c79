"""Makes `c2b2927.tar.xz`: what was on disks before drafts and links, made by the code of then.

In a checkout of that commit, with its requirements installed:

    PYTHONPATH=registry:signing:offline-sync:migrations:. python make.py FOLDER

An organisation with a team of five and one of four stewards, two promoted versions and one that is
asked for, two sites that took a bundle in, a second bundle that lies on a medium; and the hub of
one person alone. Passphrases are `correct
horse`; the keys have been used for nothing else. And what was under way: a site that asked, one
that was answered, a return that comes home, an export and an import that were cut in the middle.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from sealift_registry.cli.run import run as run_hub
from sealift_sync.cli.run import run as run_site
from tests import models

CPU = "cpu-x86_64"


def said(run: Callable[[list[str]], int], words: list[str]) -> Any:  # noqa: ANN401 - a told one
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run([*words, "--json"]) == 0, words
    return json.loads(out.getvalue())


def hub(line: str, home: str = "hub") -> Any:  # noqa: ANN401
    return said(run_hub, [*line.split(), "--home", home, "--passphrase-file", "pass"])


def site(line: str, home: str) -> Any:  # noqa: ANN401
    return said(run_site, ["--home", home, *line.split()])


def promote(number: int, *people: str) -> None:
    taken = f"ingest onnx model-{number}.onnx --as vision/tiny --goldens goldens.npz"
    hub(taken)
    hub(f"convert vision/tiny/{number} --for {CPU}")
    asked = hub(f"promote vision/tiny/{number} --to production --reason better --key dora.pem")
    for person in people or ("carla", "emil"):
        words = f"approve {asked['promotion']} --meaning validated --reason tested --yes"
        hub(f"{words} --key {person}.pem")


def enrol(name: str, home: str, signed: str) -> None:
    site(f"init --id {name} --group line-1={CPU} --request {name}.request", home)
    hub(f"site enroll {name}.request --stage production --answer {name}.answer {signed}")
    site(f"init --answer {name}.answer --yes", home)


def organisation() -> None:
    hub("init --offline-keys off --name Acme")
    for person in ("anna", "ben", "carla", "emil", "dora"):
        hub(f"key new {person}.pem")
    stewards = " ".join(f"--steward {one}={one}.pem.pub" for one in ("anna", "ben"))
    hub(f"team add vision {stewards} --key off/targets-1.pem --key off/targets-2.pem")
    signed = "--key anna.pem --key ben.pem"
    hub(f"team requester vision dora=dora.pem.pub {signed}")
    for person in ("carla", "emil"):
        hub(f"team approver vision {person}={person}.pem.pub {signed}")
    promote(1)
    dispatcher = "--key off/dispatcher-1.pem"
    for name in ("plant-7", "plant-8"):
        enrol(name, name, "--key off/fleet-1.pem")
        hub(f"assign {name} vision/tiny/1 --for line-1={CPU} {dispatcher}")
        made = hub(f"export {name} --to medium {dispatcher}")
        site(f"import {made['folder']}", name)
    # The next one waits on its medium; the version after it is approved by one of two.
    promote(2)
    hub(f"assign plant-7 vision/tiny/2 --for line-1={CPU} {dispatcher}")
    hub(f"export plant-7 --to medium {dispatcher}")
    promote(3, "carla")
    # Of four stewards two sufficed.
    four = ("fran", "gus", "hal", "ivo")
    for person in four:
        hub(f"key new {person}.pem")
    named = " ".join(f"--steward {one}={one}.pem.pub" for one in four)
    hub(f"team add sound {named} --key off/targets-1.pem --key off/targets-2.pem")


def forked(act: Callable[[], object], at: Path, cut: int) -> int:
    """How often `act` flushed what it wrote, in a process in `at` that ends at flush `cut`."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        flushed, flush = 0, os.fsync

        def flushing(file: int) -> None:
            nonlocal flushed
            flushed += 1
            if flushed == cut:
                os._exit(1)
            flush(file)

        os.chdir(at)
        with mock.patch("os.fsync", flushing):
            act()
        os.write(writing, str(flushed).encode())
        os._exit(0)
    os.close(writing)
    os.wait()
    return int(os.read(reading, 9) or b"0")


def cut(act: Callable[[], object]) -> None:
    """Do half of `act`."""
    whole = Path("../whole").resolve()
    shutil.copytree(".", whole, symlinks=True)
    count = forked(act, whole, 0)
    shutil.rmtree(whole)
    assert count > 4
    assert forked(act, Path.cwd(), count // 2) == 0


def under_way() -> None:
    site(f"init --id plant-9 --group line-1={CPU} --request plant-9.request", "plant-9")
    site(f"init --id plant-10 --group line-1={CPU} --request plant-10.request", "plant-10")
    signed = "--stage production --answer plant-10.answer --key off/fleet-1.pem"
    hub(f"site enroll plant-10.request {signed}")
    Path("home").mkdir()
    site("return --to home", "plant-8")
    shutil.copytree("plant-7", "plant-7-cut", symlinks=True)
    cut(lambda: site("import medium", "plant-7-cut"))
    Path("cut").mkdir()
    cut(lambda: hub("export plant-8 --full --to cut --key off/dispatcher-1.pem"))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir()
    os.chdir(folder)
    Path("pass").write_text("correct horse\n")
    Path("medium").mkdir()
    models.tiny_goldens(Path("goldens.npz"))
    for number in (1, 2, 3):
        models.tiny_onnx(Path(f"model-{number}.onnx"), number)
    organisation()
    under_way()
    hub("init --solo --person me", "solo")
    with tarfile.open("../c2b2927.tar.xz", "w:xz") as tar:
        tar.add(".", "older")


if __name__ == "__main__":
    main()
