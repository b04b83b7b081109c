"""What there is to run: headers read, directories scanned, registrations compared."""
