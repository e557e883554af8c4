"""Every test of STAR, by the part it tests."""
