"""What a set of pages is made of."""
