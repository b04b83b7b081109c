"""How docs/first-hour.md is read, compared and written anew; the hour itself is in tests/whole."""

from dataclasses import replace

import pytest

from tests.whole.first_hour import DOCUMENT, HOST, SOON, Step, differences, rewritten, steps

TEXT = f"""# Words

$ not typed

```console
$ cat >a <<'END'
> $ text
> END
$ schedd list
· scheduled  a.sh  in 2 s, 19:12:05 UTC  01a20ef9-2a20-7632-815b-8cf6712e5e1f
```

{SOON}
```console
$ first
1
```

{HOST}
```console
$ doctor
✓ disk   1 GiB
! clock  drifts
         → mend it
```

```sh
$ another kind
```
"""


def test_commands_are_read_with_their_further_lines_and_marks() -> None:
    read = [(step.command, step.shown, step.soon, step.host) for step in steps(TEXT)]
    line = "· scheduled  a.sh  in 2 s, 19:12:05 UTC  01a20ef9-2a20-7632-815b-8cf6712e5e1f\n"
    assert read == [
        ("cat >a <<'END'\n$ text\nEND", "", False, False),
        ("schedd list", line, False, False),
        ("first", "1\n", True, False),
        ("doctor", "✓ disk   1 GiB\n! clock  drifts\n         → mend it\n", False, True),
    ]


def test_instants_ids_and_widths_make_no_difference_and_are_not_written_anew() -> None:
    seen = steps(TEXT)
    line = "· scheduled   a.sh   now, 2026-11-25 01:00:00 CET   01a20ef9-2a20-7632-815b-000000000000\n"
    seen[1] = replace(seen[1], shown=line)
    seen[3] = replace(seen[3], shown="✗ clock  is wrong\n✓ disk   3 GiB\n")
    assert differences(TEXT, seen) == []
    assert rewritten(TEXT, seen) == TEXT


@pytest.mark.parametrize(
    ("at", "shown"), [(0, "no such file\n"), (1, "· disabled  a.sh\n"), (2, ""), (3, "✓ disk   1 GiB\n")]
)
def test_whatever_else_differs_is_told_and_written(at: int, shown: str) -> None:
    seen = steps(TEXT)
    seen[at] = replace(seen[at], shown=shown)
    assert differences(TEXT, seen)[0] == f"$ {seen[at].command}"
    assert steps(rewritten(TEXT, seen))[at] == seen[at]
    assert differences(rewritten(TEXT, seen), seen) == []


def test_the_document_has_all_that_such_an_hour_is_made_of() -> None:
    typed = " ".join(step.command for step in steps(DOCUMENT.read_text()))
    for part in (
        *("dpkg --install", "@schedule", "schedd list", "schedd history", "SCHEDD_STATUS=error", "-x"),
        *("schedd why", "schedd trigger", "token add", "curl", "schedd gaps", "doctor", "systemd-analyze"),
    ):
        assert part in typed


def test_a_step_without_marks_is_compared_line_by_line() -> None:
    assert Step("x", "a  \nb\n").alike() == ["a", "b"]
