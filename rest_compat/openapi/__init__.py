"""What the dialects offer as one OpenAPI document, made of their tables and of what they do."""
