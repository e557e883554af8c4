"""The importer measured on the embedded adapters: ``make bench``. Prints figures and asserts none."""
