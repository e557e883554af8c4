"""Reports and rates: what an assessment found, frozen, released and added up.

Owns: frozen report snapshots and their files, rates, aggregates, and a card of every factory.
Announces: ``reporting.report.frozen``, ``reporting.report.released``.
Listens to: registered factories, published questionnaires, finalised visits.
Never: keeps raw answers or evidence, and never changes a snapshot once it is frozen.
"""
