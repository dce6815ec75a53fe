"""The sections of the conversation, one module each."""
