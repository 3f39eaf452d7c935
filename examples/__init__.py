"""Example projects that the demo loads."""
