"""The parts put together: how the daemon lives, and how it is asked."""
