"""What the hub's tests share: real sources, and small models trained once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import models
from tests.registry.hub_fixture import (
    _no_settings,
    acme,
    assigned,
    founded,
    hub,
    plant,
    ready,
    stocked,
)
from tests.sources import dvc_repository, mlflow_server, mlflow_store

__all__ = [
    "_no_settings",
    "acme",
    "assigned",
    "dvc_repository",
    "founded",
    "hub",
    "mlflow_server",
    "mlflow_store",
    "plant",
    "ready",
    "stocked",
]

MAKERS: dict[str, Callable[[Path], Path]] = {
    "tiny.onnx": models.tiny_onnx,
    "tiny.npz": models.tiny_goldens,
    "logreg.skops": models.digits_logreg_skops,
    "unconvertible.skops": models.unconvertible_skops,
    "untrusted.skops": models.untrusted_skops,
    "xgboost.ubj": models.xgboost_digits,
    "xgboost.json": models.xgboost_digits,
    "lightgbm.txt": models.lightgbm_digits,
    "digits.npz": models.digits_goldens,
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The model file of a name in MAKERS, made the first time that it is asked for."""
    folder = tmp_path_factory.mktemp("trained")

    def file(name: str) -> Path:
        path = folder / name
        return path if path.exists() else MAKERS[name](path)

    return file
