"""Which base system and which packages go into an image."""
