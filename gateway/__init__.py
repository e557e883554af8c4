"""The one door of a country: identity at the edge, the visibility decision, and the public API.

Owns: nothing; it follows the consent ledger of access under a lease and keeps no store.
Never: decides from consent that it has not heard of within the lease, or passes on what is not in the public document.
"""
