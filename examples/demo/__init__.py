"""Harbour: a day of ships' calls, summed up per ship."""
