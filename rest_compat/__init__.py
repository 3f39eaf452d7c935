"""The REST dialects: route tables over stored GraphQL operations; no SQL, no tables."""
