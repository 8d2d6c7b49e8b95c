"""Engines of national cryptography; see :mod:`core.crypto.port`."""
