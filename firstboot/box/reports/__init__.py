"""Reports from the journal, for people: what they say, and how they look as text and as HTML."""
