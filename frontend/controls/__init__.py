"""The sidebar: model, parameters and presets."""
