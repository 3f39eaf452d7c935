"""The REST dialect of Lens and Cube: questions to a semantic model."""
