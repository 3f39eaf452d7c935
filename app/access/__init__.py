"""Users, sessions, API keys, roles and memberships: who is calling and what they may do."""
