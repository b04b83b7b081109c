"""schedd: the cron daemon whose jobs are scripts that schedule themselves."""

__version__ = "0.1.0"
