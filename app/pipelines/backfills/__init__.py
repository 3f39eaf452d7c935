"""Backfills: runs of a pipeline for every slot of a stretch of time, in a folder of their own."""
