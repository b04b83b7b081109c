"""What Node.js compiled is kept, and not without bounds."""

import os
from pathlib import Path

from schedd.runner import node_cache
from tests.machine.node_ways import Bench


def test_what_is_too_much_goes(tmp_path: Path) -> None:
    cache = tmp_path / "node-cache"
    (cache / "v24").mkdir(parents=True)
    (cache / "v24" / "a").write_bytes(b"x" * 600)
    (cache / "b").write_bytes(b"x" * 600)
    assert not node_cache.bound(str(cache), most_bytes=1200)
    assert (cache / "b").exists()
    assert node_cache.bound(str(cache), most_bytes=1199)
    assert not cache.exists()


def test_a_cache_that_is_not_there_is_small(tmp_path: Path) -> None:
    assert not node_cache.bound(str(tmp_path / "node-cache"))


async def test_typescript_is_stripped_of_its_types_once_for_each_version(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    order = bench.order("typed.ts", "return 1 as number;\n")
    first = await bench.started_cold(order)
    made = kept(bench)
    second = await bench.started_cold(order)
    assert (first.result, second.result, kept(bench)) == ("1", "1", made)
    changed = await bench.started_cold(bench.order("typed.ts", "return 2 as number;\n"))
    assert changed.result == "2"
    await bench.close()


async def test_a_cache_that_is_damaged_or_forbidden_does_no_harm(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    order = bench.order("typed.ts", "return 1 as number;\n")
    await bench.started_cold(order)
    for path, _ in kept(bench):
        path.write_bytes(b"{\x00")
    assert (await bench.started_cold(order)).result == "1"
    os.rename(bench.cache, f"{bench.cache}.old")
    os.symlink("/dev/null", bench.cache)
    assert (await bench.started_cold(order)).outcome == (0, None, "", "1", None)
    await bench.close()


def kept(bench: Bench) -> list[tuple[Path, int]]:
    """What is kept of scripts themselves, and since when."""
    return [(path, path.stat().st_mtime_ns) for path in Path(bench.cache).glob("*.json")]
