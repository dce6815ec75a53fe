"""The site model and what follows from it."""
