"""`python -m tradewind.entrypoints.strategy_check REFERENCE`: whether a strategy can be loaded and made, in a process of its own.

Loading runs its author's code, which may do anything: start threads, exit, hang. Whoever wants to know first, and wants to
go on living, asks here. The answer is the last line of the output that begins with `ANSWER`; no such line is a no.
"""

import sys

from tradewind.services.strategies.loader import StrategyNotFound, try_strategy

ANSWER = "tradewind-strategy-check "
GOOD = "good"


def main(reference: str) -> None:
    """Print the answer: `GOOD`, or what is wrong in one line."""
    try:
        try_strategy(reference)
        answer = GOOD
    except StrategyNotFound as error:
        answer = str(error)
    print(f"\n{ANSWER}{answer}", flush=True)  # noqa: T201 - this is what the process is for


if __name__ == "__main__":
    main(sys.argv[1])
