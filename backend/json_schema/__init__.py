"""JSON Schema for small models: vetted, narrowed, shown, and judged. No HTTP inside."""
