def tidy(table):
    """Lower-case column names."""
    return table.rename(columns=str.lower)
