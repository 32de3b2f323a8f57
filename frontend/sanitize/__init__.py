"""Sanitizing model output before it is rendered as Markdown."""
