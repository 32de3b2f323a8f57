"""The version of this page; the API has its own, and may be another."""

VERSION = "0.1.0"
