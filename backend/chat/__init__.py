"""OpenAI chat completions, and the turns of stored conversations."""
