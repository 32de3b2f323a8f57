"""Fixtures of the frontend's tests."""

from tests.support.certificates import no_certificates

__all__ = ["no_certificates"]
