"""The command line of the box: its declarations, and what is made from them."""
