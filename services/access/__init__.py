"""Who takes part in the programme, and what factories share with buyers.

Owns: factories, buyers, the consent ledger, and the leases of the gateways that follow it.
Announces: ``access.factory.registered``, ``access.buyer.registered``, ``access.grant.given``, ``access.grant.revoked``.
Listens to: nothing.
Never: sees a questionnaire or a finding.
"""
