"""Tool calls with models whose chat template knows no tools: gate, pick, fill."""
