"""DEEP's REST dialect: leads and projects as its documentation and its server have them."""
