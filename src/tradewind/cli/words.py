"""Numbers with their nouns."""


def plural(count: float, noun: str) -> str:
    """The noun as it goes with the number, for nouns that take an `s`: `client` with 1, else `clients`."""
    return noun if count == 1 else f"{noun}s"


def counted(count: int, noun: str) -> str:
    """`1 client`, `1,234 clients`."""
    return f"{count:,} {plural(count, noun)}"
