"""The GraphQL protocol; knows the domains only through `schema.py`."""
