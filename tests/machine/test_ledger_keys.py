"""Keys are as durable as the fires that were made under them, and stay out of the public log."""

from pathlib import Path

import msgspec
import pytest

from schedd.ledger.facts import Claimed, Ended, Held
from schedd.ledger.ledger import Ledger
from tests.ledger_kit import START_MS, claimed, ended, fire, held, run_id, skipped


async def reopened(directory: Path) -> Ledger:
    return await Ledger.open(directory, now_ms=lambda: START_MS)


@pytest.mark.parametrize("fact", [claimed(fire(1)), held(fire(1)), skipped(fire(1))])
async def test_a_key_is_known_after_a_restart_and_after_rotations(
    tmp_path: Path, fact: Claimed | Held | Ended
) -> None:
    ledger = await Ledger.open(tmp_path, now_ms=lambda: START_MS, ledger_max_bytes=4096)
    ledger.write([msgspec.structs.replace(fact, key="k")], durable=True)
    for number in range(2, 60):
        await ledger.write([claimed(fire(number)), ended(fire(number))], durable=True)
    await ledger.close()
    assert (tmp_path / "ledger.log.2").exists()
    again = await reopened(tmp_path)
    known = again.state.fire_of("k", START_MS)
    assert known is not None
    assert known.run_id == run_id(1)
    await again.close()


async def test_a_line_whose_time_was_bent_keeps_its_key(tmp_path: Path) -> None:
    ledger = await reopened(tmp_path)
    ledger.write([ended(fire(1))], durable=False)
    early = skipped(fire(2), at=START_MS)
    ledger.write([msgspec.structs.replace(early, key="k")], durable=False)
    assert "k" in ledger.state.keys
    await ledger.close()
    again = await reopened(tmp_path)
    assert again.state.keys == ledger.state.keys
    await again.close()


async def test_no_key_is_in_the_fires_log(tmp_path: Path) -> None:
    ledger = await reopened(tmp_path)
    ledger.write([msgspec.structs.replace(skipped(fire(1)), key="hash-of-a-key")], durable=False)
    await ledger.close()
    assert b"hash-of-a-key" in (tmp_path / "ledger.log").read_bytes()
    assert b"hash-of-a-key" not in (tmp_path / "fires.log").read_bytes()
