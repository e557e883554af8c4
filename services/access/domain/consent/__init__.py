"""The consent ledger: what entries say (``facts``, ``paid``), their chain (``entry``), what stands (``fold``)."""
