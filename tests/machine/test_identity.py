"""Who the process is, and whether it may become somebody else, against what the system itself says."""

import json
import subprocess
import sys

from schedd.host import identity

BECOME_NOBODY = """
import json, os
from schedd.host import identity
said = identity.may_switch_user()
try:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    done = True
except PermissionError:
    done = False
print(json.dumps([said, done, identity.may_switch_user()]))
"""


def told(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_the_user_and_the_groups_are_those_that_id_tells() -> None:
    assert identity.user_name() == told("/usr/bin/id", "-un")
    assert identity.group_names() == tuple(sorted(set(told("/usr/bin/id", "-Gn").split())))


def test_who_may_switch_can_and_cannot_afterwards() -> None:
    said, done, still = json.loads(told(sys.executable, "-c", BECOME_NOBODY))
    assert said is done
    assert still is False
