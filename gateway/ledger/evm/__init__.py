"""Driver for EVM chains over JSON-RPC."""
