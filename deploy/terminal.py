"""Where the command line prints: plain text only, whatever a file or a server says."""

from rich.console import Console

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
_errors = Console(highlight=False, soft_wrap=True, markup=False, emoji=False, stderr=True)


def say(text: str, style: str = "") -> None:
    """Print a line."""
    console.print(visible(text), style=style or None)


def complain(text: str) -> None:
    """Print what went wrong to standard error."""
    _errors.print(visible(text), style="red")


def visible(text: str) -> str:
    """The text without characters that would steer a terminal; line breaks stay."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
