"""Taking records in: sources as plug-ins, quality rules, identity, encryption, index entries (docs/decisions/0008)."""
