"""Model output made safe to render as Markdown."""
