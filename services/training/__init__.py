"""The course catalogue and the courses recommended to a factory.

Owns: courses (which compliance points they help with, for whom, how long) and recommendations.
Announces: ``training.courses.recommended``.
Listens to: finalised visits.
Never: decides what a finding means.
"""
