"""Map a model server's errors to SmolChatErrors: whose fault it is, and why."""
