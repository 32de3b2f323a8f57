"""Sidebar controls: model, parameters and presets."""
