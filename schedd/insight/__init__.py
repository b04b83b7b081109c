"""What the record means: why a script did or did not run, and which slots are without an `ok`."""
