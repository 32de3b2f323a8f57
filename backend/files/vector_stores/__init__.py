"""Collections of files, which OpenAI calls vector stores."""
