"""Who takes part in the programme, and what factories share with buyers.

Owns: factories, buyers and their staff, groups, vendors, agents and ministries, requests for access, agreements, the
consent ledger with what is paid for and what is disclosed without consent, the leases of the gateways that
follow it, what changed for which buyer, and the webhooks that tell it.
Announces: ``access.factory.registered`` and ``.changed``, ``access.buyer.registered``, ``access.request.*``,
``access.agreement.*``, ``access.sharing.suspended`` and ``.resumed``, ``access.grant.given``, ``access.grant.revoked``,
``access.disclosure.made``, ``access.disclosure.ended``.
Listens to: released reports and changed plans, for the feed of what changed for a buyer.
Never: sees a questionnaire or a finding.
"""
