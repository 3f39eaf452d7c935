"""The query lane: statements of semantic models, run on their data sources."""
