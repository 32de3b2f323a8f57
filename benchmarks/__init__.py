"""Benchmarks and soak tests of SmolChat's API and page: `make bench`, `make soak` and others."""
