"""Key files: made once, encrypted, opened with the right words only."""

import base64
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sealift_signing import keys
from sealift_signing.errors import (
    FailedError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from sealift_signing.keys import Passphrases
from sealift_signing.public_key import PublicKey
from tests.cheap_keys import dear_keys

WORDS = Passphrases(None, {"SEALIFT_PASSPHRASE_ANNA": "open sesame"}, None)


@pytest.mark.parametrize("scheme", ["ed25519", "ecdsa-p256"])
def test_a_new_key_signs_and_its_public_half_verifies(tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "people" / "anna.pem"
    made = keys.new_key(file, b"open sesame", scheme=scheme)
    signer = keys.open_signer(f"file:{file}", WORDS)
    assert PublicKey.from_tuf(signer.public_key) == made
    assert made.text.startswith(scheme)
    made.verify(bytes.fromhex(signer.sign(b"data").signature), b"data", what="it")
    assert keys.read_public(f"{file}.pub") == made


def rounds_of(file: Path, count: int) -> bool:
    """Whether a key file says that it takes so many."""
    body = b"".join(file.read_bytes().splitlines()[1:-1])
    return b"\x02\x03" + count.to_bytes(3, "big") in base64.b64decode(body)


@pytest.mark.parametrize("scheme", ["ed25519", "ecdsa-p256"])
def test_a_passphrase_is_dear_to_guess(tmp_path: Path, scheme: str) -> None:
    """600,000 rounds of PBKDF2, as the standard spells them."""
    file = tmp_path / "anna.pem"
    with dear_keys():
        made = keys.new_key(file, b"open sesame", scheme=scheme)
        assert PublicKey.from_tuf(keys.open_signer(str(file), WORDS).public_key) == made
    assert rounds_of(file, 600_000)


def test_f1_45_cheap_keys_are_these_tests_and_no_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a process is told makes its keys so."""
    file = tmp_path / "here.pem"
    keys.new_key(file, b"open sesame")
    assert rounds_of(file, 100_000)
    (tmp_path / "words").write_text("open sesame\n")
    made = tmp_path / "there.pem"
    program = Path(sys.executable).with_name("sealift-sign")
    words = ["key", "new", str(made), "--passphrase-file", str(tmp_path / "words")]
    for name in ("ROUNDS", "SEALIFT_ROUNDS", "SEALIFT_KEYS__ROUNDS"):
        monkeypatch.setenv(name, "1")
    subprocess.run([program, *words], check=True, capture_output=True)
    assert rounds_of(made, 600_000)


@pytest.mark.system
@pytest.mark.parametrize("scheme", ["ed25519", "ecdsa-p256"])
def test_a_tool_reads_a_new_key(tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "anna.pem"
    with dear_keys():
        keys.new_key(file, b"open sesame", scheme=scheme)
    command = ["openssl", "pkey", "-in", str(file), "-passin", "pass:open sesame", "-pubout"]
    said = subprocess.run(command, check=True, capture_output=True)
    assert said.stdout == Path(f"{file}.pub").read_bytes()


def test_only_its_owner_reads_a_private_key(tmp_path: Path) -> None:
    file = tmp_path / "people" / "anna.pem"
    keys.new_key(file, b"open sesame")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert b"ENCRYPTED" in file.read_bytes()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "anna.pem"
    keys.new_key(file, b"open sesame")
    before = file.read_bytes(), Path(f"{file}.pub").read_bytes()
    with pytest.raises(FailedError) as error:
        keys.new_key(file, b"another")
    assert error.value.code == "key-exists"
    assert before == (file.read_bytes(), Path(f"{file}.pub").read_bytes())


def test_no_private_key_is_left_without_its_public_half(tmp_path: Path) -> None:
    (tmp_path / "anna.pem.pub").write_text("somebody's")
    with pytest.raises(FailedError) as error:
        keys.new_key(tmp_path / "anna.pem", b"open sesame")
    assert error.value.code == "key-exists"
    assert [file.name for file in tmp_path.iterdir()] == ["anna.pem.pub"]
    assert (tmp_path / "anna.pem.pub").read_text() == "somebody's"


def test_a_key_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FailedError) as error:
        keys.new_key(tmp_path / "file" / "anna.pem", b"open sesame")
    assert error.value.code == "key-unwritable"


def test_a_key_needs_a_passphrase(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        keys.new_key(tmp_path / "anna.pem", b"")
    assert list(tmp_path.iterdir()) == []


def test_the_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    file = tmp_path / "anna.pem"
    keys.new_key(file, b"another")
    with pytest.raises(MalformedError) as error:
        keys.open_signer(str(file), WORDS)
    assert error.value.code == "key-not-opened"


def test_a_key_without_passphrase_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "anna.pem"
    private = ed25519.Ed25519PrivateKey.generate()
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(RefusedError) as error:
        keys.open_signer(str(file), WORDS)
    assert error.value.code == "key-not-encrypted"


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "anna.pem"
    locked = BestAvailableEncryption(b"open sesame")
    private = rsa.generate_private_key(65537, 2048)
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(MalformedError) as error:
        keys.open_signer(str(file), WORDS)
    assert error.value.code == "bad-key"


def test_a_key_on_another_curve_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "anna.pem"
    locked = BestAvailableEncryption(b"open sesame")
    private = ec.generate_private_key(ec.SECP384R1())
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(MalformedError) as error:
        keys.open_signer(str(file), WORDS)
    assert error.value.code == "bad-public-key"


@pytest.mark.parametrize(
    "uri,path",
    [
        ("file:a/b.pem", "a/b.pem"),
        ("a/b.pem", "a/b.pem"),
        ("file", "file"),
        ("ssh", "ssh"),
        ("a:b", "a:b"),
    ],
)
def test_a_key_is_named_by_its_path_with_or_without_a_scheme(uri: str, path: str) -> None:
    assert keys.key_path(uri) == Path(path)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "anna.pem"
    file.write_bytes(content)
    with pytest.raises(MalformedError) as error:
        keys.open_signer(str(file), WORDS)
    assert error.value.code == "key-not-opened"


def test_a_missing_key_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        keys.open_signer(str(tmp_path / "nobody.pem"), WORDS)
    with pytest.raises(FailedError):
        keys.open_signer(str(tmp_path), WORDS)


@pytest.mark.parametrize("scheme", ["pkcs11", "hv", "awskms", "ssh"])
def test_a_kind_of_key_that_comes_later_says_so(scheme: str) -> None:
    with pytest.raises(UsageError, match="not supported yet"):
        keys.key_path(f"{scheme}:something")


def test_a_passphrase_comes_from_the_file_first(tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_text("the first line\x0bis one\r\nnot this\n")
    words = Passphrases(file, WORDS.environment, lambda question: "asked")
    assert words.of(Path("anna.pem")) == b"the first line\x0bis one"


def test_then_from_the_environment_and_then_from_a_person() -> None:
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "said"

    words = Passphrases(None, {"SEALIFT_PASSPHRASE_ANNA": "set"}, ask)
    assert words.of(Path("keys/anna.pem")) == b"set"
    assert words.of(Path("keys/bert.pem")) == b"said"
    assert asked == ["Passphrase for bert.pem"]


def test_nobody_to_ask_is_said_with_the_variable_to_set() -> None:
    with pytest.raises(UsageError) as error:
        WORDS.of(Path("keys/root-1.pem"))
    assert "SEALIFT_PASSPHRASE_ROOT_1" in error.value.next_step


@pytest.mark.parametrize("content", ["", "\nsecond line"])
def test_an_empty_passphrase_file_is_no_passphrase(tmp_path: Path, content: str) -> None:
    file = tmp_path / "words"
    file.write_text(content)
    with pytest.raises(UsageError, match="is empty"):
        Passphrases(file, {}, None).of(Path("anna.pem"))


def test_a_passphrase_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(FailedError):
        Passphrases(tmp_path / "nothing", {}, None).of(Path("anna.pem"))


def test_a_public_key_is_read_from_text_and_from_a_file_of_text(tmp_path: Path) -> None:
    made = keys.new_key(tmp_path / "anna.pem", b"open sesame")
    (tmp_path / "anna.txt").write_text(made.text + "\n")
    assert keys.read_public(made.text) == made
    assert keys.read_public(str(tmp_path / "anna.txt")) == made


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "anna.pem", b"open sesame")
    with pytest.raises(UsageError, match="is a private key"):
        keys.read_public(str(tmp_path / "anna.pem"))


def test_neither_a_key_nor_a_file() -> None:
    with pytest.raises(NotFoundError):
        keys.read_public("anna")
