"""The assessment service.

Owns: questionnaires and their versions, visits by two advisors, answers, evidence, findings, imports of results.
Announces: published questionnaires and finalised visits.
Listens to: the registration of factories, of which it keeps a card.
Never: decides who outside the programme may see a result, or changes a visit that was finalised.
"""
