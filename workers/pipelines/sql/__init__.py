"""SQL blocks: their templates, their connections, and PostgreSQL and DuckDB behind them."""
