"""What systemd entrusted to the daemon is recognised in what scripts print."""

from pathlib import Path

import pytest

from schedd.host import credentials


def test_a_credential_is_its_content_without_the_newline(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"hunter2\n")
    (tmp_path / "raw").write_bytes(b"\xff\x00secret")
    assert credentials.values(str(tmp_path)) == ("hunter2", "\udcff\0secret")


def test_one_of_several_lines_is_also_its_long_lines(tmp_path: Path) -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQC\nshort\n"
    text = f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"
    (tmp_path / "key.pem").write_text(text)
    assert credentials.values(str(tmp_path)) == (text.rstrip("\n"), *body.split()[:2])


@pytest.mark.parametrize("content", [b"", b"\n", b"abc", b"abc\r\n", b"x" * (credentials.FILE_BYTES + 1)])
def test_what_is_too_short_to_tell_or_too_large_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "short").write_bytes(content)
    assert credentials.values(str(tmp_path)) == ()


def test_a_large_one_is_recognised_by_its_lines_and_their_number_is_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"a line of a credential {n:08}" for n in range(1500)]
    (tmp_path / "large").write_text("\n".join(lines))
    assert credentials.values(str(tmp_path)) == tuple(lines[: credentials.MOST_VALUES])
    assert "the rest is not redacted" in caplog.text
    assert "a line of a credential" not in caplog.text


def test_what_cannot_be_read_is_named_and_its_value_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "there").write_text("hunter2")
    assert credentials.values(str(tmp_path)) == ("hunter2",)
    assert f"{tmp_path}/directory is not redacted" in caplog.text
    assert "hunter2" not in caplog.text


def test_without_credentials_there_are_none(tmp_path: Path) -> None:
    assert credentials.values(None) == credentials.values("") == ()
    assert credentials.values(str(tmp_path / "gone")) == ()
