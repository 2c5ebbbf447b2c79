"""What the demo's processes find around them: nothing of the user's own settings.

Git, DVC and MLflow find a home without any, and nothing reports home.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from sealift_registry.demo.folder import Folder
from sealift_registry.workers.environment import SILENT

FOREIGN = ("SEALIFT_", "MLFLOW_", "DVC_", "GIT_", "XDG_")


def environment(folder: Folder, variables: Mapping[str, str]) -> dict[str, str]:
    """What a command of the story finds: our environment without anybody's settings."""
    home = folder.sources / "home"
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    isolated = {
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return kept | isolated | SILENT | dict(variables)
