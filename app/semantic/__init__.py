"""The semantic layer: models of tables and measures, and the queries that are asked of them."""
