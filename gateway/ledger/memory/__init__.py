"""In-memory double of the ledger. It warns, and production refuses it."""
