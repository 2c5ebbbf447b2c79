"""Acceptance 3 and 4: a site host holds the two site wheels and eleven packages, and no network.

The bundle comes from a hub on paper; what is tested is what lies at the site and on the medium.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_signing.words import eight_words, fingerprint
from sealift_sync.artifact import ref_name
from tests.hub_on_paper import HubOnPaper

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
UV = Path(sys.executable).with_name("uv")
OURS = {"sealift-offline-sync", "sealift-signing"}


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        cwd="/",
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our two wheels, and the pinned ones by their hashes: what a site's stick would hold."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    for name in ("signing", "offline-sync"):
        source = tmp_path_factory.mktemp(name) / name
        shutil.copytree(ROOT / name, source)
        run(UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable,
            "--out-dir", folder, source)  # fmt: skip
    run(sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps",
        "--only-binary", ":all:", "--dest", folder,
        "--requirement", ROOT / "requirements/site.txt")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def environment(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python environment installed from the wheelhouse alone."""
    folder = tmp_path_factory.mktemp("site") / "environment"
    run(UV, "venv", "--quiet", "--offline", "--python", sys.executable, folder)
    run(UV, "pip", "install", "--quiet", "--offline", "--no-index", "--find-links", wheelhouse,
        "--python", folder / "bin/python", "sealift-offline-sync")  # fmt: skip
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> HubOnPaper:
    return HubOnPaper(tmp_path, now=datetime.now(UTC))


def alone(*command: str | Path) -> str:
    """Run `command` in a network namespace that has no interface but a dead loopback."""
    return run("unshare", "-rn", *command)


def test_a1_03_the_environment_holds_eleven_third_party_packages(environment: Path) -> None:
    script = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    names = {name.lower() for name in run(environment / "bin/python", "-c", script).split()}
    assert names > OURS
    assert len(names - OURS) == 11, names


@pytest.mark.parametrize("module", ["sealift_registry", "sealift_migrations", "sqlalchemy"])
def test_a1_03_server_code_is_not_on_a_site_host(environment: Path, module: str) -> None:
    done = subprocess.run(
        [environment / "bin/python", "-c", f"import {module}"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_a1_03_a_site_imports_with_no_network_at_all(
    environment: Path, hub: HubOnPaper, tmp_path: Path
) -> None:
    command = (environment / "bin/sealift-site", "--home", tmp_path / "site")
    request, answer = tmp_path / "plant-7.request", tmp_path / "plant-7.answer"
    alone(*command, "init", "--id", "plant-7", "--group", "cpu=cpu-x86_64", "--request", request)
    answer.write_bytes(hub.answer(request.read_bytes()))
    words, paper = eight_words(answer.read_bytes()), fingerprint(hub.repository.current["root"])
    alone(*command, "init", "--answer", answer, "--fingerprint", paper, "--words", words)
    first = hub.promote(1)
    hub.assign(hub.promote(2), first)
    medium = tmp_path / "medium"
    hub.export(medium)
    links = alone("ip", "-brief", "link").splitlines()
    assert [link.split()[:2] for link in links] == [["lo", "DOWN"]]
    assert "whole and authentic" in alone(*command, "verify", medium)
    assert "runs version 2" in alone(*command, "import", medium)
    assert "already imported" in alone(*command, "import", medium)
    assert "runs version 1" in alone(
        *command, "rollback", "vision/digits", "--reason", "wrong on dim images"
    )
    alone(*command, "return", "--to", medium)
    assert json.loads(alone(*command, "audit", "fsck", "--json"))["ok"]
    model = tmp_path / "site/models/cpu/vision/digits/current/model.onnx"
    assert model.read_bytes() == b"the weights of catalog/vision/digits/1/cpu-x86_64"


def test_a1_04_skopeo_reads_a_bundle_as_it_lies(hub: HubOnPaper, tmp_path: Path) -> None:
    releases = [hub.promote(1), hub.promote(2), hub.promote(1, model="letters")]
    hub.assign(releases[1], releases[0])
    hub.assign(releases[2])
    folder = hub.export(tmp_path / "medium")
    for release in releases:
        name = f"oci:{folder}:{ref_name(release.path)}"
        raw = run("skopeo", "inspect", "--raw", name)
        assert sha256(raw.encode()).hexdigest() == release.sha256
        copied = tmp_path / f"copy-{release.sha256[:8]}"
        run("skopeo", "--insecure-policy", "copy", "--quiet", name, f"oci:{copied}:copy")
        (entry,) = json.loads((copied / "index.json").read_bytes())["manifests"]
        assert entry["digest"] == f"sha256:{release.sha256}"
        for blob in (copied / "blobs/sha256").iterdir():
            assert sha256(blob.read_bytes()).hexdigest() == blob.name
            assert blob.read_bytes() == (folder / "blobs/sha256" / blob.name).read_bytes()
        named = {part["digest"] for part in json.loads(raw)["layers"]}
        assert {f"sha256:{blob.name}" for blob in (copied / "blobs/sha256").iterdir()} > named


def test_skopeo_and_tar_read_packs(hub: HubOnPaper, tmp_path: Path) -> None:
    """Whoever holds a bundle of many small files needs no program of ours to have them."""
    words = {f"words/{n}.txt": f"word {n}".encode() for n in range(150)}
    release = hub.promote(1, more=words)
    hub.assign(release)
    folder = hub.export(tmp_path / "medium", requires=("packs",))
    name = f"oci:{folder}:{ref_name(release.path)}"
    raw = json.loads(run("skopeo", "inspect", "--raw", name))
    run("skopeo", "--insecure-policy", "copy", "--quiet", name, f"oci:{tmp_path / 'copy'}:copy")
    top = tmp_path / "out"
    top.mkdir()
    for layer in raw["layers"]:
        assert layer["mediaType"] == "application/vnd.cncf.model.weight.v1.tar"
        blob = tmp_path / "copy/blobs/sha256" / layer["digest"].removeprefix("sha256:")
        run("tar", "-xf", str(blob), "-C", str(top))
    there = {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}
    assert there == words | {"model.onnx": b"the weights of catalog/vision/digits/1/cpu-x86_64"}
