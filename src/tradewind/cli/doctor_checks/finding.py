"""One thing that was looked at, and how it is."""

from typing import Literal

import msgspec

State = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """`mend` says what to do; empty when all is well."""

    check: str
    state: State
    text: str
    mend: str = ""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", text)


def warn(check: str, text: str, mend: str) -> Finding:
    """It works, and should not stay so."""
    return Finding(check, "warn", text, mend)


def fail(check: str, text: str, mend: str) -> Finding:
    """It does not work, or something may be lost."""
    return Finding(check, "fail", text, mend)
