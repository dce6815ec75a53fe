"""The wizard: a conversation on a console that fills in a site."""
