"""The demo country: its people, its factories, three cycles of results, and a walk through the whole path."""
