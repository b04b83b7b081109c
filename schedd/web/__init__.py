"""What a dashboard asks, over HTTP."""
