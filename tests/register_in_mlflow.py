"""Registers an ONNX model in an MLflow registry, without training or loading any; as a process.

    python register_in_mlflow.py TRACKING_URI MODEL.onnx

In the registry afterwards, each with the model, an MLmodel and a requirements.txt in a folder:
- `proxied` 1: kept behind the tracking server, with the alias `champion`;
- `direct` 1: kept at s3://models/direct;
- `emptied` 1: kept at s3://models/emptied, for a test to delete its files;
- `elsewhere` 1: kept at s3://absent, a bucket that there is not.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

LOCATIONS = {
    "proxied": None,
    "direct": "s3://models/direct",
    "emptied": "s3://models/emptied",
    "elsewhere": "s3://absent/elsewhere",
}
MLMODEL = """\
flavors:
  onnx:
    data: model.onnx
mlflow_version: 3.17.2
"""
GIT_TAG = "mlflow.source.git.repoURL"


def main(tracking_uri: str, model: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    client = mlflow.MlflowClient()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(model, folder / "model.onnx")
        (folder / "MLmodel").write_text(MLMODEL)
        (folder / "requirements.txt").write_text("onnx\n")
        for registered, location in LOCATIONS.items():
            experiment = client.create_experiment(registered, artifact_location=location)
            run = client.create_run(experiment)
            client.set_tag(run.info.run_id, GIT_TAG, "https://me:ghp_a_token@github.invalid/a")
            logged = client.create_logged_model(experiment, source_run_id=run.info.run_id)
            if registered != "elsewhere":
                client.log_model_artifacts(logged.model_id, name)
            client.finalize_logged_model(logged.model_id, "READY")
            client.create_registered_model(registered)
            source = f"models:/{logged.model_id}"
            client.create_model_version(
                registered, source, run_id=run.info.run_id, model_id=logged.model_id
            )
    client.set_registered_model_alias("proxied", "champion", "1")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
