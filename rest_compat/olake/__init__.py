"""OLake's REST dialect: syncs as its API describes them and its web UI calls them."""
