"""What happened: the append-only record of every decision, its recovery, and its reader."""
