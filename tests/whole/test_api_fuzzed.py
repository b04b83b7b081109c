"""A fuzzer that reads the API's own description cannot make the daemon fail, nor answer against it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.child import Child

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "use_after_free",
)
"""All but two: what a schema cannot say is refused too (a blank path), and wrong tokens are rate limited."""
EXAMPLES = 40
ENDLESS = "/api/v1/exec/events"
"""Left out: it answers for as long as the client stays, and the fuzzer waits for the end of each answer."""
SCRIPTS = {
    "default/is_quick.sh": "#!/bin/sh\n# @schedule @hourly\necho hello\n",
    "default/fails_each_second.sh": "#!/bin/sh\n# @schedule @every 1s\nexit 1\n",
    "shop/returns.py": "# @schedule @hourly\ndef main():\n    return {'rows': 12}\n",
    "shop/wants_force.sh": "#!/bin/sh\n# @schedule @hourly\n# @token secret-word\nexit 0\n",
}


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child(tmp_path)
    for script, text in SCRIPTS.items():
        made.write(script, text)
    made.start()
    yield made
    made.close()


def _token(child: Child) -> str:
    words = ("token", "add", "fuzzer", "--scopes", "read,trigger,admin", "--state-dir", str(child.state))
    made = subprocess.run(
        (sys.executable, "-m", "schedd", *words), capture_output=True, text=True, timeout=60, check=True
    )
    return made.stdout.strip()


def test_no_request_makes_it_fail_or_break_its_word(child: Child, tmp_path: Path) -> None:
    fuzzed = subprocess.run(
        (
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{child.url()}/openapi.json"),
            *("--header", f"Authorization: Bearer {_token(child)}"),
            *("--checks", ",".join(CHECKS), "--exclude-path", ENDLESS),
            *("--max-examples", str(EXAMPLES), "--continue-on-failure", "--no-color"),
            *("--request-timeout", "20", "--seed", "20261124"),
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert fuzzed.returncode == 0, fuzzed.stdout[-6000:]
    assert int(re.findall(r"(\d+) generated", fuzzed.stdout)[0]) > 500
    assert "Traceback" not in child.said()
    assert child.ask("GET", "/readyz")[0] == 200


def test_it_describes_every_route_that_it_has(child: Child) -> None:
    told = child.ask("GET", "/openapi.json")[1]
    assert told["openapi"] == "3.1.0"
    assert len(json.dumps(told)) > 20_000
    assert told["paths"]["/api/v1/exec/schedules/trigger"]["post"]["requestBody"]["required"]
