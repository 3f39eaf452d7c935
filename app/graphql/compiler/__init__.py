"""Declarations of what each GraphQL field is in SQL, and (later) the compiler over them."""
