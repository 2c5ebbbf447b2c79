"""What people use today, as they would use it: the same bytes, flushed to the disk in the end.

`sync -f` flushes the one file system that is measured, so that nobody pays for what is dirty on
another disk; every competitor ends with it, also those that flush by themselves. None reaches out
to a network, and each has its caches in the place it works in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import weights
from tests.benchmarks.figures import Absent
from tests.benchmarks.racing import FailedError, Place, Step

TOOLS = Path(__file__).parents[2] / "build" / "bench-tools" / "bin"
"""Where `make bench-tools` puts what comes as a Python package."""
PASSWORD = {"RESTIC_PASSWORD": "a benchmark's", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}


def program(name: str) -> str | None:
    """Where a competitor's program is, None if nowhere."""
    own = [TOOLS / name, Path(sys.executable).parent / name]
    return next((str(one) for one in own if one.exists()), shutil.which(name))


def absent(*names: str) -> Iterator[Absent]:
    """The programs that are not here."""
    for name in names:
        if program(name) is None:
            yield Absent(name, "not installed: make bench-tools installs it on Debian")


def version(name: str) -> str:
    """What a program says of its version; empty if it is not here, or does not run."""
    path = program(name)
    if path is None:
        return ""
    word = "version" if name in {"restic", "openssl"} else "--version"
    try:
        said = prepare([path, word], Path()).split("\n")[0]
    except FailedError:
        return ""
    return said.strip()


def prepare(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Run what is not timed; its output.

    Raises:
        FailedError: it failed.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
        raise FailedError(msg)
    return done.stdout


def flush(folder: Path) -> Step:
    """Wait until all of the file system that holds `folder` is on the disk."""
    return Step(("sync", "-f", folder))


def digest(folder: Path, *, cold: bool) -> Step:
    """`openssl dgst -sha256` of every file in `folder`."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return Step(("openssl", "dgst", "-sha256", *files), files if cold else ())


def copy(source: Path, target: Path, *, cold: bool = True) -> Step:
    """`cp -r`."""
    return Step(("cp", "-r", source, target), [source] if cold else ())


def check_same(folder: Path, expected: Mapping[str, str], place: Place) -> None:
    """In the first round: that `folder` holds the files whose digests are expected.

    By content: some rename what they copy, or put small files into an archive.

    Raises:
        FailedError: something is missing or different.
    """
    if not place.first:
        return
    found = Counter(weights.contents(folder))
    if missing := Counter(expected.values()) - found:
        msg = f"{folder} lacks {missing.total()} of {len(expected)} files, or has others"
        raise FailedError(msg)


@dataclass(frozen=True)
class Repository:
    """A backup program's repository in `folder`, with its caches and its home beside it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What keeps the program within `folder`."""
        home = str(self.folder)
        return {
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/cache",
            "RESTIC_REPOSITORY": f"{home}/repository",
            "BORG_REPO": f"{home}/repository",
            "BORG_BASE_DIR": home,
            "DVC_SITE_CACHE_DIR": f"{home}/site",
            "DVC_GLOBAL_CONFIG_DIR": f"{home}/global",
            "DVC_SYSTEM_CONFIG_DIR": f"{home}/system",
            "CI": "true",  # DVC does not look for newer versions of itself then
            **PASSWORD,
        }

    def make(self) -> Path:
        """Make the folder; returns where the repository proper is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / "repository"

    def step(
        self, *command: str | Path, cold: Sequence[Path] = (), cwd: Path | None = None
    ) -> Step:
        """A command that is timed."""
        return Step(command, cold, cwd or self.folder, self.environment)

    def prepare(self, *command: str | Path, cwd: Path | None = None) -> None:
        """A command that is not."""
        prepare(command, cwd or self.folder, self.environment)


class Restic(Repository):
    """restic with its defaults: encrypted, compressed, split by content, flushed file by file."""

    def begin(self) -> None:
        """`restic init`."""
        self.make()
        self.prepare("restic", "init", "--quiet")

    def backup(self, model: Path) -> Step:
        """`restic backup`."""
        return self.step("restic", "backup", "--quiet", ".", cold=[model], cwd=model)

    def restore(self, target: Path) -> Step:
        """`restic restore --verify`."""
        words = ("restore", "latest", "--quiet", "--verify", "--target", target)
        return self.step("restic", *words, cold=[self.folder / "repository"])


class Borg(Repository):
    """borg, unencrypted since Sealift does not encrypt either; lz4, its default."""

    def begin(self) -> None:
        """`borg init`."""
        self.make()
        self.prepare("borg", "init", "--encryption=none")

    def backup(self, model: Path) -> Step:
        """`borg create`."""
        return self.step("borg", "create", "::model", ".", cold=[model], cwd=model)

    def restore(self, target: Path) -> Step:
        """`borg extract` into `target`."""
        target.mkdir()
        return self.step(
            "borg", "extract", "::model", cold=[self.folder / "repository"], cwd=target
        )


class Dvc(Repository):
    """DVC without Git, with a remote in a folder; `work` is where its files are."""

    @property
    def work(self) -> Path:
        """The working folder."""
        return self.folder / "work"

    def begin(self) -> None:
        """What `dvc init` and `dvc remote add` write; running them takes longer than a model."""
        remote = self.make()
        settings = self.work / ".dvc" / "config"
        settings.parent.mkdir(parents=True)
        settings.write_text(
            "[core]\n    no_scm = true\n    check_update = false\n    remote = there\n"
            f"['remote \"there\"']\n    url = {remote}\n",
            encoding="utf-8",
        )

    def run(self, *words: str, cold: Sequence[Path] = ()) -> Step:
        """A command of DVC's."""
        return self.step(program("dvc") or "dvc", *words, "--quiet", cold=cold, cwd=self.work)

    def forget(self) -> None:
        """Leave only what a colleague has: the `.dvc` file and the remote."""
        shutil.rmtree(self.work / "model")
        shutil.rmtree(self.work / ".dvc" / "cache")


class ModelSigning(Repository):
    """OpenSSF model signing with a key of its own: no service is asked."""

    @property
    def _signature(self) -> Path:
        return self.folder / "model.sig"

    def begin(self, model: Path) -> None:
        """Make a key and sign the files of `model`."""
        self.make()
        new = ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
        self.prepare("openssl", *new)
        self.prepare("openssl", "ec", "-in", "key.pem", "-pubout", "-out", "key.pub")
        tool = program("model_signing") or "model_signing"
        signed = ("--signature", self._signature, "--private_key", self.folder / "key.pem")
        self.prepare(tool, "sign", "key", *signed, model)

    def verify(self, model: Path) -> Step:
        """`model_signing verify key`."""
        tool = program("model_signing") or "model_signing"
        trusted = ("--signature", self._signature, "--public_key", self.folder / "key.pub")
        return self.step(tool, "verify", "key", *trusted, model, cold=[model])


def skopeo(bundle: Path, name: str, target: Path) -> Step:
    """`skopeo copy` of one image of the OCI layout `bundle` to the new layout `target`."""
    words = ("--insecure-policy", "copy", "--quiet", f"oci:{bundle}:{name}", f"oci:{target}:copy")
    return Step(("skopeo", *words), [bundle])
