"""A site's folder: strict settings, and one command at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_signing.errors import FailedError, UsageError
from sealift_sync import durable
from sealift_sync.site.setup.home_folder import choose_home, make_home
from sealift_sync.site.setup.home_locks import only_one
from sealift_sync.site.setup.settings import FIRST_SETTINGS, GroupSettings, Settings, read_settings


def settings(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    return read_settings(file, environment or {})


def test_the_first_settings_are_the_defaults(tmp_path: Path) -> None:
    assert settings(tmp_path, FIRST_SETTINGS) == Settings()


def test_the_commented_example_works(tmp_path: Path) -> None:
    example = FIRST_SETTINGS[FIRST_SETTINGS.index("# [groups.cpu]") :].replace("# ", "")
    assert settings(tmp_path, example).group("cpu") == GroupSettings(
        ("/usr/bin/systemctl", "reload", "model-server"),
        ("/usr/local/bin/check-model",),
        60,
        ("/opt/model-server/bin/python",),
    )


@pytest.mark.parametrize(
    "text, why",
    [
        ("least_free_mib = 1", "least_free_mib is not a setting"),
        ("[limits]\nleast_free = 1", "limits.least_free is not a setting"),
        ("[limits]\nleast_free_mib = -1", "not a whole number"),
        ("[limits]\nlock_seconds = true", "not a whole number"),
        ("[groups.cpu]\nhoook = []", "groups.cpu.hoook is not a setting"),
        ('[groups.cpu]\nhook = "reload all"', "not a list of strings"),
        ("[groups.CPU]", "not a name"),
        ("[groups.cpu]\nruntime = []", "groups.cpu.runtime names no program"),
        ('[groups.cpu]\nruntime = [""]', "groups.cpu.runtime names no program"),
        (
            '[groups.cpu]\nruntime = ["python3"]\ntimeout_seconds = 0',
            "groups.cpu.timeout_seconds is 0, and its runtime needs time",
        ),
        ("[limits", "not readable TOML"),
    ],
)
def test_what_is_not_a_setting_is_an_error(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        settings(tmp_path, text)


def test_the_environment_overrides_and_is_as_strict(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        "",
        {"SEALIFT_LIMITS__LEAST_FREE_MIB": "7", "SEALIFT_DELIVERY__DISPATCHER": "a hub's"},
    )
    assert found.limits.least_free_mib == 7
    with pytest.raises(UsageError, match="SEALIFT_LIMITS__LEAST_FREE"):
        settings(tmp_path, "", {"SEALIFT_LIMITS__LEAST_FREE": "7"})


def test_where_the_home_is(tmp_path: Path) -> None:
    assert choose_home(tmp_path, {"SEALIFT_SITE_HOME": "/x"}) == tmp_path
    assert choose_home(None, {"SEALIFT_SITE_HOME": "/x"}) == Path("/x")
    assert choose_home(None, {}) == Path.cwd() / "sealift-site"


def test_a_second_command_waits_and_then_says_who_holds_the_home(tmp_path: Path) -> None:
    home = make_home(tmp_path / "site", {"SEALIFT_LIMITS__LOCK_SECONDS": "0"})
    with only_one(home, "import"):
        with pytest.raises(FailedError) as caught, only_one(home, "status"):
            pass
        assert f"sealift-site import (process {os.getpid()}) is working in" in caught.value.what
    with only_one(home, "status"):
        pass


def test_a_process_that_died_holds_nothing(tmp_path: Path) -> None:
    home = make_home(tmp_path / "site", {"SEALIFT_LIMITS__LOCK_SECONDS": "0"})
    script = (
        "import os, sys; from pathlib import Path; "
        "from sealift_sync.site.setup.home_folder import make_home\n"
        "from sealift_sync.site.setup.home_locks import only_one\n"
        "with only_one(make_home(Path(sys.argv[1]), {}), 'import'): os._exit(9)"
    )
    died = subprocess.run([sys.executable, "-c", script, home.root], check=False)
    assert died.returncode == 9, "it died while it held the site, and not before"
    with only_one(home, "status"):
        pass


@pytest.mark.parametrize("what", ["pipe", "link"])
def test_what_lies_in_the_way_of_a_file_is_not_opened(tmp_path: Path, what: str) -> None:
    """Requests and answers are written to media, and whoever had one may have prepared it."""
    aside = tmp_path / "plant-7.request.partial"
    {
        "pipe": lambda: os.mkfifo(aside),
        "link": lambda: aside.symlink_to(tmp_path / "another"),
    }[what]()
    with pytest.raises(FailedError, match="is in the way, and is not a file"):
        durable.write(tmp_path / "plant-7.request", b"x")
    assert [path.name for path in tmp_path.iterdir()] == [aside.name]
