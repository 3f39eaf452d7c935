"""Our own code behind the names of `mage_ai` that users' blocks import."""
