"""The rules of questionnaires, visits and results: no I/O, no clock, no settings."""
