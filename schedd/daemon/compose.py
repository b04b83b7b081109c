"""From a configuration to a living daemon: makes the parts, puts them together, hands them the signals."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from dataclasses import asdict
from functools import partial

from schedd import __version__
from schedd.config import Config
from schedd.daemon import vitals
from schedd.daemon.daemon import HEARTBEAT_S, Daemon
from schedd.daemon.front import Front
from schedd.daemon.lately import Lately
from schedd.daemon.messages import Drain, HangUp, Message, Started
from schedd.daemon.pruning import Pruning
from schedd.daemon.settings import LiveScanner, Settings, preflight_of
from schedd.daemon.watching import Look, Watcher
from schedd.errors import ConfigError, StateError
from schedd.fire import Entry, RunId
from schedd.host import capabilities, credentials, identity, journald
from schedd.host.clock import SystemClock
from schedd.host.pressure import Pressure
from schedd.host.systemd import Notifier
from schedd.host.threads import Threads
from schedd.insight.recent import RecentOutcomes
from schedd.ledger.ledger import Ledger
from schedd.ledger.lock import StateLock
from schedd.planner.planner import Planner
from schedd.runner import limits, node_cache, orphans, retention
from schedd.runner.output import OutputPolicy
from schedd.runner.runner import Runner
from schedd.runner.starts import Means
from schedd.scripts.walk import is_ignored
from schedd.timetable import zone
from schedd.web import app
from schedd.web.auth import Access
from schedd.web.encryption import Encryption
from schedd.web.feed import Feed
from schedd.web.meters import Meters
from schedd.web.server import Bound, serve
from schedd.web.tokens import TokenFile

log = logging.getLogger("schedd")

THREADS = 8
"""Some may hang for long on a dead disk: both writers of the ledger, a prune, a scan, two readers."""
SWITCH_S = 0.000_5
"""How long a thread that computes (a scrape of 2,000 scripts: 230 ms) may keep the interpreter to itself.

A start gives it away at each system call, and gets it back only after so long: with the 5 ms of Python fifty
starts beside a scrape took five times as long as without, with this they hardly notice it.
"""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(load: Callable[[], Config]) -> int:
    """Live until a signal ends it; then die of that signal, as the caller of a program expects.

    `load` reads the configuration: once now, and again at each reload. Raises ScheddError.
    """
    config = load()
    sys.setswitchinterval(SWITCH_S)
    vitals.put_off_collecting()
    capabilities.keep_from_children()
    notifier = Notifier.from_environ()
    lines = journald.configure(config.log_level.value.upper())
    _check_scripts_dir(config.scripts_dir)
    with StateLock.take(config.state_dir) as lock:
        number = asyncio.run(_live(config, load, notifier, lock, lines))
    notifier.close()
    if number is not None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 0


async def _live(
    config: Config,
    load: Callable[[], Config],
    notifier: Notifier,
    lock: StateLock,
    lines: journald.Lines,
) -> int | None:
    clock, host, keeping = SystemClock(), identity.host_name(), limits.keeping()
    log.info("%s", keeping.sentence())
    asyncio.get_running_loop().set_default_executor(Threads(THREADS, "schedd"))
    # Unbounded: it holds at most one message for each run in flight, each request and each signal.
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    scanner = LiveScanner(config, preflight_of(config, clock), keeping.keepers())
    settings = Settings(config, load)
    meters, feed, recent = Meters(), Feed(), RecentOutcomes()
    async with (
        _ledger(config, clock, lock, feed, recent) as ledger,
        _runner(config, clock, inbox, keeping, lines.journal) as runner,
    ):
        lately = Lately(ledger, recent)
        daemon = Daemon(
            clock=clock,
            planner=_planner(config),
            ledger=ledger,
            runner=runner,
            scanner=scanner,
            notifier=notifier,
            meters=meters,
            feed=feed,
            inbox=inbox,
            end_orphans=partial(orphans.end_orphans, clock=clock, groups=keeping.groups),
            prune=_pruning(settings, clock, runner).due,
            refresh=settings.refresh,
            pressure=Pressure().read,
            beside=partial(_chores, config, scanner, lately),
            host=host,
            boot_id=identity.boot_id(),
            version=__version__,
            drain_s=config.drain_ms / 1000,
            heartbeat_s=min(HEARTBEAT_S, notifier.watchdog_s or HEARTBEAT_S),
        )
        front = Front(
            daemon=daemon,
            clock=clock,
            ledger=ledger,
            lately=lately,
            runner=runner,
            scanner=scanner,
            inbox=inbox,
            scripts_dir=config.scripts_dir,
            host=host,
            limits=asdict(keeping.keepers()),
            journal_dropped=lambda: lines.dropped,
        )
        settings.tell(scanner.apply, daemon.apply, partial(_apply_to_runner, runner))
        caught = _catch_signals(inbox)
        async with _sockets(front, settings, meters, feed, _passed(notifier)) as bound:
            _introduce(bound)
            await daemon.run()
    return caught[0] if caught else None


def _planner(config: Config) -> Planner:
    return Planner(new_run_id=identity.run_ids(), max_running=config.max_running, max_held=config.max_held)


@contextlib.asynccontextmanager
async def _ledger(
    config: Config, clock: SystemClock, lock: StateLock, feed: Feed, recent: RecentOutcomes
) -> AsyncIterator[Ledger]:
    try:
        ledger = await Ledger.open(
            config.state_dir,
            now_ms=clock.now_ms,
            fires_max_bytes=config.fires_max_bytes,
            fires_keep=config.fires_keep,
            ledger_max_bytes=config.ledger_max_bytes,
            ledger_keep=config.ledger_keep,
            ground=lock.renew,
        )
    except OSError as error:
        raise StateError(f"The ledger in {config.state_dir} cannot be opened: {error}.") from error
    feed.take_up(ledger.newest_line)
    ledger.published = partial(_tell_of, feed, recent)
    for name in ledger.torn:
        log.warning("%s ended in half a line, as a crash leaves it; the half is in %s.torn", name, name)
    try:
        yield ledger
    finally:
        await ledger.close()
        if ledger.queued_lines:
            log.critical("%d lines of the ledger never reached the disk", ledger.queued_lines)


def _tell_of(feed: Feed, recent: RecentOutcomes, entry: Entry) -> None:
    feed.published(entry)
    recent.note(entry)


@contextlib.asynccontextmanager
async def _runner(
    config: Config,
    clock: SystemClock,
    inbox: "asyncio.Queue[Message]",
    keeping: limits.Keeping,
    journal: journald.Journal | None,
) -> AsyncIterator[Runner]:
    runner = Runner(
        clock=clock,
        report=inbox.put_nowait,
        started=lambda run_id, pid, started_ms: inbox.put_nowait(Started(run_id, pid, started_ms)),
        state_dir=config.state_dir,
        grace_s=config.grace_ms / 1000,
        output=output_policy(config),
        journal=journal,
        means=means_of(config),
        keeping=keeping,
    )
    try:
        yield runner
    finally:
        await runner.close()


def _apply_to_runner(runner: Runner, config: Config) -> None:
    runner.adopt(
        grace_s=config.grace_ms / 1000,
        output=output_policy(config),
        means=means_of(config),
    )


def output_policy(config: Config) -> OutputPolicy:
    """Return what becomes of what scripts print; reads the credentials anew (they may have been changed)."""
    return OutputPolicy(
        head_bytes=config.output_head_bytes,
        tail_bytes=config.output_tail_bytes,
        redact=config.redact + credentials.values(os.environ.get("CREDENTIALS_DIRECTORY")),
        redact_patterns=config.redact_patterns,
        journal=config.output_journal,
    )


def means_of(config: Config) -> Means:
    """Return what starts need of the configuration."""
    return Means(
        path_env=config.path,
        python=config.python,
        python_preload=config.python_preload,
        node=config.node,
        node_hosts=config.node_hosts,
        allowed_users=config.allowed_users,
    )


def _chores(
    config: Config, scanner: LiveScanner, lately: Lately, look: Look
) -> dict[str, Coroutine[object, object, None]]:
    """Return what is seen to beside, by name."""
    chores = {"read the last outcomes": lately.read_ahead()}
    if config.watch:
        watcher = Watcher(look=look, directories=scanner.directories, passed_over=is_ignored)
        chores["watch the scripts"] = watcher.run()
    return chores


def _pruning(settings: Settings, clock: SystemClock, runner: Runner) -> Pruning:
    return Pruning(
        clock=clock,
        prune=lambda keep: _prune(settings.config, clock, keep),
        written=lambda: runner.flusher.kept_bytes,
        limit=lambda: settings.config.output_keep_bytes,
    )


def _prune(config: Config, clock: SystemClock, keep: Collection[RunId]) -> None:
    retention.prune(
        config.state_dir,
        now_ms=clock.now_ms(),
        keep_days=config.output_keep_days,
        keep_bytes=config.output_keep_bytes,
        keep=keep,
    )
    node_cache.bound(node_cache.place(config.state_dir))


@contextlib.asynccontextmanager
async def _sockets(
    front: Front, settings: Settings, meters: Meters, feed: Feed, passed: Collection[socket.socket]
) -> AsyncIterator[Bound]:
    config = settings.config
    listen = config.listen
    tokens = TokenFile(config.state_dir)
    access = Access(tokens, allowed_uids=config.allowed_uids, behind_proxy=config.behind_proxy)
    application = app.build(
        front,
        access,
        cors_origins=config.cors_origins,
        allowed_hosts=config.allowed_hosts,
        meters=meters,
        feed=feed,
    )
    encryption = Encryption(config.tls_cert, config.tls_key) if config.tls_cert else None
    settings.tell(
        lambda new: app.apply(
            application,
            cors_origins=new.cors_origins,
            allowed_hosts=new.allowed_hosts,
            allowed_uids=new.allowed_uids,
        )
    )
    if encryption is not None:
        settings.tell(lambda new: encryption.renew(new.tls_cert, new.tls_key))
    async with serve(
        application,
        host=listen.host if listen else None,
        port=listen.port if listen else 0,
        socket_path=config.socket,
        tls=encryption.context if encryption is not None else None,
        behind_proxy=config.behind_proxy,
        passed=passed,
    ) as bound:
        yield bound


def _passed(notifier: Notifier) -> list[socket.socket]:
    """Return the sockets of socket activation; all sockets of one unit may share a name."""
    return [sock for sockets in notifier.sockets.values() for sock in sockets]


def _catch_signals(inbox: "asyncio.Queue[Message]") -> list[signal.Signals]:
    """Turn signals into messages; return the list that the stopping ones will be noted in."""
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        caught.append(number)
        inbox.put_nowait(Drain(number.name))

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    loop.add_signal_handler(signal.SIGHUP, inbox.put_nowait, HangUp())
    return caught


def _introduce(bound: Bound) -> None:
    places = [place for place in (bound.url, bound.socket_path) if place]
    log.info("schedd %s serves on %s", __version__, " and ".join(places) or "no socket")
    _say_zone_data(zone.versions())


def _say_zone_data(found: zone.Versions) -> None:
    both = f"system {found.system or 'none'}, package {found.package or 'none'}"
    log.info("zone data %s, of the %s (%s)", found.release, found.used, both)


def _check_scripts_dir(path: str) -> None:
    try:
        os.scandir(path).close()
    except OSError as error:
        raise ConfigError(
            f"The scripts directory {path} cannot be read: {error.strerror}. Make it, or name another: "
            "scripts_dir in the configuration, or --scripts-dir."
        ) from error
