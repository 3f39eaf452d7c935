"""A Mage project folder, read into Isthmus and written out of it."""
