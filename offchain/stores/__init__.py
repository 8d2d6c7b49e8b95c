"""Stores of encrypted content: one port, a double in memory, segment files."""
