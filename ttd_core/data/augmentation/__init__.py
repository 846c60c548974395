"""Random views of training pictures; each depends on its own draw alone."""
