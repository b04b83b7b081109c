"""Headers for tests: registered, refused or warned of in one line."""

from schedd.schedule import FileStamp, Schedule
from schedd.scripts.directives import read_header
from schedd.scripts.registration import Defaults, Finding, Registrar, Source

SCRIPT = "default/cron/job.py"
EXPRESSION = "@schedule 0 5 * * *"


def found(*lines: str, script: str = SCRIPT, **defaults: object) -> Finding:
    source = Source(script=script, path=f"/srv/{script}", sha256="ab" * 32, stamp=FileStamp(1, 2, 3))
    header = read_header("".join(f"# {line}\n" for line in lines).encode(), script)
    return Registrar(Defaults(**defaults)).register(header, source)


def accepted(*lines: str, script: str = SCRIPT, **defaults: object) -> Schedule:
    result = found(EXPRESSION, *lines, script=script, **defaults)
    assert result.schedule is not None, [str(problem) for problem in result.problems]
    return result.schedule


def refused(line: str, **defaults: object) -> tuple[str, str]:
    """Return what is said of a line, and the part of it that the column points at and all behind."""
    result = found(EXPRESSION, line, **defaults)
    assert result.schedule is None
    (problem,) = result.problems
    assert (problem.path, problem.line) == (SCRIPT, 2)
    assert problem.column is not None
    return problem.reason, f"# {line}"[problem.column - 1 :]


def warned(*lines: str, script: str = SCRIPT) -> list[tuple[int | None, str]]:
    """Return the lines that are warned of, counted from 1 behind `@schedule`, and what is said."""
    schedule = accepted(*lines, script=script)
    warnings = found(EXPRESSION, *lines, script=script).warnings
    assert schedule.warnings == tuple(f"line {warning.line}: {warning.reason}" for warning in warnings)
    return [(warning.line and warning.line - 1, warning.reason) for warning in warnings]
