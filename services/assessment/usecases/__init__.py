"""What people do with questionnaires, visits and results: load, let the domain decide, save."""
