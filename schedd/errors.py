"""The errors a person can meet, and nothing else.

Every message is one whole sentence in the user's words: what is wrong, where (file, line, field), and
what to do. Programmer errors are assertions; what a script's author got wrong is a value (a problem, see
`schedd.scripts`), not an exception; everything below is raised to be shown, as it is, on a terminal or in
an answer.
"""


class ScheddError(Exception):
    """The root: catch this to catch all that schedd raises on purpose."""


class ConfigError(ScheddError):
    """A setting is unknown, malformed or contradicts another."""


class TimetableError(ScheddError):
    """An expression or a time zone that cannot be followed."""


class StateError(ScheddError):
    """The state directory cannot be used: locked by another daemon, unwritable, not a directory."""


class UnreachableError(ScheddError):
    """The daemon did not answer where the command line looked for it."""
