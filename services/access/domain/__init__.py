"""The rules of parties, consent and leases: no I/O, no clock."""
