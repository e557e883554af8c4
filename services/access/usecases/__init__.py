"""What people and gateways do here: register parties, give and revoke grants, follow the ledger."""
