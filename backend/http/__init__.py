"""HTTP concerns shared by every route: limits, security, CORS, logging, responses."""
