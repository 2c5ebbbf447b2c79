"""Nothing that opens a door stands in an error, a record or the log."""

from __future__ import annotations

import pytest

from sealift_registry.intake.source import SourceRecord, checked
from sealift_registry.workers.environment import S3, secrets
from sealift_registry.workers.quoting import first_line, redacted


@pytest.mark.parametrize(
    "said, expected",
    [
        ("GET https://alice:secret@host:5000/x failed", "GET https://host:5000/x failed"),
        ("https://ghp_token@github.example/a.git", "https://github.example/a.git"),
        ("postgresql://u:p@ss@w@db/mlflow", "postgresql://db/mlflow"),
        ("two: http://a:b@c/ and 'ftp://d:e@f'", "two: http://c/ and 'ftp://f'"),
        ("https://s3/b/k?X-Amz-Signature=abc&X-Amz-Date=1 (403)", "https://s3/b/k (403)"),
        ("/api?access_token=abc", "/api"),
        # What is not a secret stays: people must be able to follow it.
        ("https://host/model@v1?o=42", "https://host/model@v1?o=42"),
        ("models:/digits@champion", "models:/digits@champion"),
        ("Is it there? A key is needed.", "Is it there? A key is needed."),
    ],
)
def test_addresses_lose_who_asks(said: str, expected: str) -> None:
    assert redacted(said) == expected


def test_values_that_are_secret_are_struck_out() -> None:
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIA-AN-ID",
        "AWS_SECRET_ACCESS_KEY": "AKIA-AN-ID-AND-MORE",
        "MLFLOW_TRACKING_PASSWORD": "a",  # would be struck out of every word
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
        "HOME": "/home/alice",
    }
    hidden = secrets(environment)
    assert hidden == ("AKIA-AN-ID-AND-MORE", "AKIA-AN-ID")
    said = "AKIA-AN-ID-AND-MORE of AKIA-AN-ID in /var/run/token of /home/alice"
    assert redacted(said, hidden) == "*** of *** in /var/run/token of /home/alice"


def test_a_secret_is_not_cut_in_half_and_then_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "0123456789" * 4)
    said = first_line(ValueError("x" * 280 + "0123456789" * 4 + "\nsecond line"))
    assert said == f"“{'x' * 280}***”"
    assert "alice" not in first_line(ValueError("y" * 290 + "://alice:secret@host"))


def test_what_reads_from_s3_gets_these_variables_and_no_others() -> None:
    """A list, not a prefix: AWS_… also holds settings that name programs or log what is sent."""
    assert {name for name in S3 if not name.startswith("AWS_")} == set()
    assert "AWS_SECRET_ACCESS_KEY" in S3
    assert len(S3) == len(set(S3)) == 14


def test_a_record_holds_no_password() -> None:
    details = {
        "run": {"tags": {"mlflow.source.git.repoURL": "https://me:ghp_token@github.example/a"}},
        "listed": ["s3://key:secret@bucket/x", 3, True],
    }
    record = SourceRecord(1, (), "mlflow", "models:/a/1", "MLflow v1", (), details, ())
    assert checked(record).details == {
        "run": {"tags": {"mlflow.source.git.repoURL": "https://github.example/a"}},
        "listed": ["s3://bucket/x", 3, True],
    }
