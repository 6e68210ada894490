"""ferryman: translate text with a ferryman server."""
