"""What should happen now. Nothing in here waits, reads a clock or touches the machine."""
