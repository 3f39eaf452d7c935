"""Sends notifications: what they say, by which channel, and to which addresses they may go."""
