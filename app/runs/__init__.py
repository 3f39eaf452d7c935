"""The ledger: one record, one state machine, one log for everything that takes time."""
