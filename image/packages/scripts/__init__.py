"""What the scripts of packages do, found by reading them; none of them ever runs."""
