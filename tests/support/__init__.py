"""Fixtures and builders shared by all rooms; imported as ``tests.support.…``."""
