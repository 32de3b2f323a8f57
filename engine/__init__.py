"""The stand-in for Docker Model Runner: llama.cpp's own server with a small model."""
