"""HTTPS: by two settings, renewed without a restart, and never half configured."""

import http.client
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.whole.child import Child


def _certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}"
    subprocess.run(
        (
            "openssl",
            *words.split(),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)),
        ),
        check=True,
        capture_output=True,
        timeout=60,
    )
    return cert, key


def _settings(cert: Path, key: Path) -> str:
    return f'tls_cert = "{cert}"\ntls_key = "{key}"\n'


def _asked(child: Child, trusted: Path) -> int:
    context = ssl.create_default_context(cafile=str(trusted))
    port = int(child.said().rpartition("https://127.0.0.1:")[2].split()[0])
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_client_that_trusts_the_certificate_is_answered(tmp_path: Path) -> None:
    cert, key = _certificate(tmp_path, "one")
    child = Child(tmp_path, settings=_settings(cert, key))
    try:
        child.start()
        assert _asked(child, cert) == 200
    finally:
        child.close()


def test_a_certificate_that_is_renewed_is_shown_after_a_reload(tmp_path: Path) -> None:
    cert, key = _certificate(tmp_path, "one")
    newer, newer_key = _certificate(tmp_path, "two")
    child = Child(tmp_path, settings=_settings(cert, key))
    try:
        child.start()
        old = cert.read_bytes()
        newer.replace(cert)
        newer_key.replace(key)
        child.schedules("reload", method="POST")
        assert _asked(child, cert) == 200
        (tmp_path / "old.pem").write_bytes(old)
        with pytest.raises(ssl.SSLCertVerificationError):
            _asked(child, tmp_path / "old.pem")
    finally:
        child.close()


def test_a_certificate_that_is_broken_later_stays_as_it_was(tmp_path: Path) -> None:
    cert, key = _certificate(tmp_path, "one")
    child = Child(tmp_path, settings=_settings(cert, key))
    try:
        child.start()
        (tmp_path / "kept.pem").write_bytes(cert.read_bytes())
        cert.write_text("half a certi")
        child.schedules("reload", method="POST")
        assert _asked(child, tmp_path / "kept.pem") == 200
        assert "the certificate stays as it was: tls_cert:" in child.said()
    finally:
        child.close()


def test_a_key_of_another_certificate_is_refused_with_a_sentence(tmp_path: Path) -> None:
    cert, _ = _certificate(tmp_path, "one")
    _, key = _certificate(tmp_path, "two")
    child = Child(tmp_path, settings=_settings(cert, key))
    assert child.spawn().wait(30) == 2
    assert f"tls_cert: {cert} and {key} are no certificate with its key" in child.said()
    assert "Traceback" not in child.said()


def test_a_certificate_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path) -> None:
    child = Child(tmp_path, settings=_settings(tmp_path / "none.pem", tmp_path / "none.key"))
    assert child.spawn().wait(30) == 2
    assert "none.pem cannot be read: No such file or directory" in child.said()


def test_a_key_alone_is_a_mistake(tmp_path: Path) -> None:
    child = Child(tmp_path, settings=f'tls_key = "{tmp_path}/a.key"\n')
    assert child.spawn().wait(30) == 2
    assert "a key without a certificate" in child.said()


def test_with_a_certificate_other_hosts_may_ask(tmp_path: Path) -> None:
    cert, key = _certificate(tmp_path, "one")
    child = Child(tmp_path, settings=_settings(cert, key))
    try:
        child.start("--listen", "0.0.0.0:0")
        assert "https://0.0.0.0:" in child.said()
    finally:
        child.close()
