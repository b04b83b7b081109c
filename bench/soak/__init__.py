"""What hours of work do to the daemon: does it grow, does it slow down, is any slot lost?

A daemon of its own, as a child, is given fifty fires a second, and everything that a busy host adds: an API
that is polled, listeners, files that change, logs that rotate. All that is said of it comes from outside:
from /proc, from the answers that others get too, and from the fires log.
"""
