"""What is kept of a conversation: recordings that replay it without a network."""
