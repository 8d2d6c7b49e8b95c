"""Compile the contracts, deploy them, measure their gas."""
