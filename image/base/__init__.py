"""Where a base system comes from."""
