"""How a script runs: processes, their output, their limits, and the languages they are written in."""
