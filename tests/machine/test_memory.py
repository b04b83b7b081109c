"""The kernel's count of those that it killed for their memory."""

from pathlib import Path

import pytest

from schedd.host import memory


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("nr_free_pages 1\noom_kill 12\nnuma_hit 3\n", 12),
        ("oom_kill_x 4\n", 0),
        ("nr_free_pages 1\n", 0),
        ("", 0),
    ],
)
def test_the_count_is_found_among_others(tmp_path: Path, text: str, count: int) -> None:
    (tmp_path / "vmstat").write_text(text)
    assert memory.oom_kills(str(tmp_path / "vmstat")) == count


def test_a_kernel_that_does_not_count_is_no_trouble(tmp_path: Path) -> None:
    assert memory.oom_kills(str(tmp_path / "none")) == 0


def test_this_kernel_counts() -> None:
    assert b"\noom_kill " in Path(memory.VMSTAT).read_bytes()
    assert memory.oom_kills() >= 0
