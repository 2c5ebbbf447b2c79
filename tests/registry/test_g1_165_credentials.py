"""What the environment and ~/.aws get wrong is told as theirs: not the server's, nor a disk's."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from sealift_registry.storage import buckets
from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_signing.errors import SealiftError
from tests.servers.hostile_s3 import Answer, Request, hostile, said
from tests.servers.seaweed import ORGANISATION, Clock, S3Server, blobs_at, seaweed

pytestmark = pytest.mark.socket

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """An environment of AWS's with nothing in it but what is given, and these files."""
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def set_up(config: str = "", credentials: str = "", **variables: str) -> None:
        (tmp_path / ".aws").mkdir(exist_ok=True)
        (tmp_path / ".aws/config").write_text(config)
        (tmp_path / ".aws/credentials").write_text(credentials)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_up


KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
LOOP = "[profile a]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = b\n"
LOOP += "[profile b]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = a\n"
ROLE = "[profile a]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Environment\n"
SSO = "[profile a]\nsso_account_id = 1\nsso_role_name = r\nsso_region = eu-central-1\n"
SSO += "sso_start_url = https://sso.example.org\n"
A = {"AWS_PROFILE": "a"}
WRONG: dict[str, tuple[str, dict[str, str], str]] = {
    "a file that is none": ("[default\nregion", KEYS, "blobs-aws-settings"),
    "a profile that is not there": ("", A, "blobs-aws-settings"),
    "profiles in a circle": (LOOP, A, "blobs-aws-settings"),
    "a source that is not there": (LOOP[: LOOP.index("[profile b]")], A, "blobs-aws-settings"),
    "single sign-on without a token": (SSO, A, "blobs-credentials-expired"),
    "a program that is not there": (
        "[profile a]\ncredential_process = /no/such/program\n",
        A,
        "blobs-aws-settings",
    ),
    "a program that fails": ("[profile a]\ncredential_process = false\n", A, "blobs-aws-settings"),
    "a program that says nothing": (
        "[profile a]\ncredential_process = true\n",
        A,
        "blobs-aws-settings",
    ),
    "nobody": ("", {}, "blobs-no-credentials"),
    "half of it": ("", {"AWS_ACCESS_KEY_ID": "key"}, "blobs-no-credentials"),
    "an odd region": ("", {**KEYS, "AWS_DEFAULT_REGION": "eu central"}, "bad-blobs-region"),
    "a region with an end": ("", {**KEYS, "AWS_REGION": "eu-central-1\n"}, "bad-blobs-region"),
    "a key with an end": ("", {**KEYS, "AWS_ACCESS_KEY_ID": "key\n"}, "blobs-wrong-credentials"),
    "a secret with one": ("", {**KEYS, "AWS_SECRET_ACCESS_KEY": "s "}, "blobs-wrong-credentials"),
    "a token with one": ("", {**KEYS, "AWS_SESSION_TOKEN": "t\r\n"}, "blobs-wrong-credentials"),
}


def error(work: Callable[[], object]) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        work()
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize("what", WRONG)
def test_g1_165_what_the_chain_of_credentials_gets_wrong(
    what: str, aws: Callable[..., None], tmp_path: Path
) -> None:
    config, variables, code = WRONG[what]
    aws(config, **variables)
    store = blobs_at(NOWHERE, "bucket", tmp_path / "work")
    assert error(lambda: store.has("1" * 64)).code == code
    large = BytesIO(bytes(9 * 2**20))
    assert error(lambda: store.put(large)).code == code, "and no fault of the folder of work"
    assert error(lambda: buckets.make(store.address, None)).code == code
    assert store.calls.patience.clock() == 0, "nobody waits for it to become better"


def test_g1_165_a_secret_in_a_file_is_not_told(aws: Callable[..., None], tmp_path: Path) -> None:
    aws(credentials="[default]\nthe-secret-itself\n", config="[default]\nthe-secret-itself\n")
    store = blobs_at(NOWHERE, "bucket", tmp_path / "work")
    found = error(lambda: store.has("1" * 64))
    assert found.code == "blobs-aws-settings"
    assert "the-secret" not in f"{found.what} {found.next_step}"


ENDPOINTS = ["s3.example.org:9000", "ftp://s3.example.org", "https://", "http://[::1", "nonsense"]


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_g1_166_an_endpoint_that_is_no_url(
    endpoint: str, variable: str, aws: Callable[..., None], tmp_path: Path
) -> None:
    aws(**KEYS, **{variable: endpoint}, AWS_DEFAULT_REGION="eu-central-1")
    store = S3Blobs(s3_address("s3://bucket/hub"), tmp_path, ORGANISATION, Clock().patience())
    for work in (lambda: store.has("1" * 64), lambda: buckets.make(store.address, None)):
        assert error(work).code == "bad-aws-endpoint"


@pytest.mark.parametrize("holds", [None, "", "no certificate"])
def test_g1_166_certificates_that_are_not_there(
    holds: str | None, aws: Callable[..., None], tmp_path: Path
) -> None:
    bundle = tmp_path / "authorities.pem"
    if holds is not None:
        bundle.write_text(holds)
    aws(**KEYS, AWS_CA_BUNDLE=str(bundle))
    store = blobs_at("https://127.0.0.1:9", "bucket", tmp_path / "work")
    for work in (lambda: store.has("1" * 64), lambda: buckets.make(store.address, None)):
        found = error(work)
        assert found.code == "blobs-ca-bundle"
        assert str(bundle) in found.what
    assert store.calls.patience.clock() == 0


REFUSALS = [
    ("ExpiredToken", 400, "blobs-credentials-expired"),
    ("RequestTimeTooSkewed", 403, "blobs-clock"),
    ("InvalidAccessKeyId", 403, "blobs-wrong-credentials"),
    ("AccessDenied", 403, "blobs-forbidden"),
    ("NotImplemented", 501, "blobs-request-refused"),
]


def _refuse(
    methods: set[str], answer: Answer, request: Request, passed: Callable[[], Answer]
) -> Answer:
    return answer if request.method in methods else passed()


def test_g1_167_who_makes_a_bucket_is_told_the_same(aws: Callable[..., None]) -> None:
    server: S3Server = seaweed()
    aws(**server.environment)
    with hostile(server.endpoint) as proxy:
        address = s3_address("s3://a-new-bucket/hub", proxy.endpoint)
        for code, status, ours in REFUSALS:
            for methods in ({"GET", "HEAD", "PUT"}, {"PUT"}):
                proxy.fault = partial(_refuse, methods, said(code, status))
                assert error(lambda: buckets.make(address, None)).code == ours
    gone = s3_address("s3://a-new-bucket/hub", NOWHERE)
    assert error(lambda: buckets.make(gone, None)).code == "blobs-unreachable"


def test_g1_167_the_bucket_is_made_where_the_environment_says(aws: Callable[..., None]) -> None:
    server: S3Server = seaweed()
    aws(**server.environment, AWS_ENDPOINT_URL_S3=server.endpoint)
    assert buckets.make(s3_address("s3://made-at-the-endpoint/hub"), None)
    assert not buckets.make(s3_address("s3://made-at-the-endpoint/hub"), None)
