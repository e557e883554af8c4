"""The consent ledger: what entries say (``facts``), how one is chained (``entry``), what all amount to (``fold``)."""
