"""The React page, as `make web` built it into web/dist."""
