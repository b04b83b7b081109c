"""When: expressions, time zones, and the instants that they name."""
