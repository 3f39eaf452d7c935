"""Duties that every worker does over and over, one file each."""
