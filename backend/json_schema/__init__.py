"""JSON Schema for small models: limits, narrowing, prompt text and validation. No HTTP inside."""
