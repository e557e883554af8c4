"""Parties, the ledger and the charge as documents; reads that answer people take a ``Scope``."""
