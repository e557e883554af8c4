"""Where the command line prints: one console, so that progress bars and lines do not cross."""

from rich.console import Console

console = Console(highlight=False, soft_wrap=True, markup=True)
