"""What people see of parties, grants and the ledger, by noun."""
