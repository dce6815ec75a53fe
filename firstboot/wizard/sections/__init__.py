"""The parts of the conversation, one module each."""
