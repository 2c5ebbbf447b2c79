"""`sealift serve` as a process: where it listens, whom it waits for, how it ends."""

from __future__ import annotations

import datetime as dt
import http.client
import signal
import socket
import ssl
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.registry.accounts_fixture import invited
from tests.registry.hub_fixture import Acme
from tests.registry.real_workers import until
from tests.registry.served_hub import serving
from tests.registry.test_hub_cli import Capsys, Cli

pytestmark = pytest.mark.socket
LOOPBACK = "127.0.0.1"


def connected(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=30)


def answer_to(port: int, sent: bytes) -> bytes:
    with connected(port) as there:
        there.sendall(sent)
        return b"".join(iter(lambda: there.recv(65536), b""))


def asked(port: int, path: str, context: ssl.SSLContext | None = None) -> int:
    made = (
        http.client.HTTPSConnection(LOOPBACK, port, context=context, timeout=30)
        if context
        else http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    )
    try:
        made.request("GET", path)
        return made.getresponse().status
    finally:
        made.close()


def takes_connections(port: int) -> bool:
    try:
        connected(port).close()
    except OSError:
        return False
    return True


def shows(port: int, path: Path) -> bool:
    try:
        return asked(port, "/health/live", trusting(path)) == 200
    except ssl.SSLError:
        return False


def test_g2_55_it_ends_when_told_to_and_says_so(acme: Acme) -> None:
    acme.close()
    with serving(acme.root) as process:
        assert asked(process.port, "/health/ready") == 200
        code, out, err = process.ends()
    assert (code, err) == (0, "")
    assert '"over"' in out
    with pytest.raises(OSError):  # noqa: PT011 - refused or reset, as the system has it
        connected(process.port)


def test_g2_55_ctrl_c_is_told_the_same(acme: Acme) -> None:
    acme.close()
    with serving(acme.root) as process:
        code, _, err = process.ends(signal.SIGINT)
    assert (code, err) == (0, "")


def test_g2_55_what_runs_ends_and_nobody_new_is_let_in(acme: Acme) -> None:
    acme.close()
    with (
        serving(acme.root, HELD_IN=str(acme.folder)) as process,
        connected(process.port) as slow,
    ):
        slow.sendall(b"GET /held HTTP/1.1\r\nHost: hub\r\n\r\n")
        until((acme.folder / "held").exists)
        process.process.send_signal(signal.SIGTERM)
        until(lambda: not takes_connections(process.port))
        (acme.folder / "go").touch()
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
        assert b" 200 " in answer
        assert answer.endswith(b'{"live":true}')
        assert process.process.wait(60) == 0


def test_g2_55_told_twice_it_waits_for_nobody(acme: Acme) -> None:
    acme.close()
    with (
        serving(acme.root, HELD_IN=str(acme.folder)) as process,
        connected(process.port) as slow,
    ):
        slow.sendall(b"GET /held HTTP/1.1\r\nHost: hub\r\n\r\n")
        until((acme.folder / "held").exists)
        process.process.send_signal(signal.SIGTERM)
        until(lambda: not takes_connections(process.port))
        assert process.ends()[0] == 4


def test_g2_55_after_its_grace_it_waits_for_nobody(acme: Acme) -> None:
    acme.close()
    with (
        serving(acme.root, "--grace", "1", HELD_IN=str(acme.folder)) as process,
        connected(process.port) as slow,
    ):
        slow.sendall(b"GET /held HTTP/1.1\r\nHost: hub\r\n\r\n")
        until((acme.folder / "held").exists)
        assert process.ends()[0] == 4


def test_g2_56_a_head_that_is_too_long_is_refused(acme: Acme) -> None:
    acme.close()
    with serving(acme.root) as process:
        long = b"GET / HTTP/1.1\r\nHost: hub\r\nX-Long: " + b"a" * 70_000
        assert b"head-too-large" in answer_to(process.port, long)
        assert b"not-http" in answer_to(process.port, b"EHLO hub\r\n\r\n")
        assert asked(process.port, "/health/live") == 200


def test_g2_56_whoever_says_nothing_is_not_waited_for(acme: Acme) -> None:
    acme.close()
    with serving(acme.root, HEAD_SECONDS="0.5") as process:
        with connected(process.port) as silent:
            assert silent.recv(1) == b""
        with connected(process.port) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\n")
            assert slow.recv(1) == b""


def test_g2_57_a_hub_in_its_home_has_one_server(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    acme.close()
    with serving(acme.root) as process:
        code, _, err = cli("serve", "--port", "0")
        assert code == 1
        assert "is served already" in err
        process.process.kill()
        process.process.wait()
    with serving(acme.root) as again:
        assert asked(again.port, "/health/ready") == 200


def test_g2_57_a_port_that_is_anothers_is_said(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    with socket.create_server((LOOPBACK, 0)) as other:
        code, _, err = cli("serve", "--port", other.getsockname()[1])
    assert code == 4
    assert "Nothing can listen on 127.0.0.1" in err


def test_g2_58_a_network_is_not_served_in_clear(acme: Acme, capsys: Capsys) -> None:
    code, _, err = Cli(acme, capsys)("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert code == 1
    assert "others could hear what people send" in err


# ---------------------------------------------------------------------- certificates


def certificate(folder: Path, name: str, days: int = 2, by: Path | None = None) -> Path:
    """A certificate and its key, as `NAME.pem` and `NAME.key`; signed by `by`, else by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = named, key
    if by is not None:
        issuer = x509.load_pem_x509_certificate(by.read_bytes()).subject
        loaded = serialization.load_pem_private_key(by.with_suffix(".key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer = loaded
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=5))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def settings(path: Path, client_ca: Path | None = None) -> dict[str, str]:
    more = {"SEALIFT_SERVER__CLIENT_CA": str(client_ca)} if client_ca else {}
    return {
        "SEALIFT_SERVER__CERTIFICATE": str(path),
        "SEALIFT_SERVER__KEY": str(path.with_suffix(".key")),
        **more,
    }


def trusting(path: Path, own: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(path))
    if own is not None:
        context.load_cert_chain(own, own.with_suffix(".key"))
    return context


def test_g2_59_it_has_its_certificate_and_reads_a_new_one_when_told(
    acme: Acme, tmp_path: Path
) -> None:
    path = certificate(tmp_path, "server")
    acme.close()
    with serving(acme.root, **settings(path)) as process:
        assert process.url == f"https://{LOOPBACK}:{process.port}"
        before = trusting(path)
        assert asked(process.port, "/health/ready", before) == 200
        certificate(tmp_path, "server")
        process.process.send_signal(signal.SIGHUP)
        until(lambda: shows(process.port, path))
        with pytest.raises(ssl.SSLError):
            asked(process.port, "/health/live", before)


def test_g2_59_a_certificate_that_expired_makes_it_not_ready(acme: Acme, tmp_path: Path) -> None:
    path = certificate(tmp_path, "server", days=-1)
    acme.close()
    with serving(acme.root, **settings(path)) as process:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        assert asked(process.port, "/health/ready", unchecked) == 503
        assert asked(process.port, "/health/live", unchecked) == 200


def test_g2_59_clients_without_a_certificate_are_refused_where_one_is_asked_for(
    acme: Acme, tmp_path: Path
) -> None:
    path, above = certificate(tmp_path, "server"), certificate(tmp_path, "above")
    ours, theirs = certificate(tmp_path, "ours", by=above), certificate(tmp_path, "theirs")
    acme.close()
    with serving(acme.root, **settings(path, above)) as process:
        assert asked(process.port, "/health/ready", trusting(path, ours)) == 200
        for context in (trusting(path), trusting(path, theirs)):
            with pytest.raises((OSError, http.client.RemoteDisconnected)):
                asked(process.port, "/health/ready", context)


def test_g2_59_a_certificate_that_cannot_be_used_is_said(
    acme: Acme, tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = certificate(tmp_path, "server"), certificate(tmp_path, "other")
    other.with_suffix(".key").rename(path.with_suffix(".key"))
    for name, value in settings(path).items():
        monkeypatch.setenv(name, value)
    code, _, err = Cli(acme, capsys)("serve", "--port", "0")
    assert code == 4
    assert "server.certificate" in err
    monkeypatch.delenv("SEALIFT_SERVER__KEY")
    code, _, err = Cli(acme, capsys)("serve", "--port", "0")
    assert code == 2
    assert "belong together" in err


@pytest.mark.parametrize("there", [False, True])
def test_g2_217_a_first_server_says_how_somebody_is_invited(acme: Acme, *, there: bool) -> None:
    if there:
        invited(acme, "anna")
    acme.close()
    line = [sys.executable, "-m", "tests.registry.serve_process", "--home", str(acme.root)]
    with subprocess.Popen(
        [*line, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline(), process.stdout.readline()]
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert said[0].startswith("Serves the hub at http://127.0.0.1:")
    next_step = f"sealift account invite NAME --role administrator --home {acme.root}\n"
    assert (next_step in rest) is not there
