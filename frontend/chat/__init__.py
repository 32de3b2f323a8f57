"""The chat page: actions, requests, streaming and views."""
