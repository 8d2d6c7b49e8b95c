"""Solidity contracts of the ledger, their build and their deployment."""
