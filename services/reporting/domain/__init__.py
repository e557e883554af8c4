"""The rules of reports and rates: no I/O, no clock, no settings."""
