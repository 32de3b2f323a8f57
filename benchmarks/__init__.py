"""What SmolChat's API costs, and what it bears: `make bench` and `make soak`."""
