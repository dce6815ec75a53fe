"""What lies beside an image that is given to others: sums, a signature, a block map, notes."""
