"""Finds a strategy class by name: `FILE.py:Class` or `package.module:Class`."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from tradewind.services.strategies.status import described
from tradewind.strategy import Strategy

NO_STRATEGY = "none"
"""The reference that means: run none."""
ALLOWED = "FILE.py:Class or package.module:Class"


class StrategyNotFound(Exception):
    """The strategy cannot be loaded; the message says why, in one line."""


def load_strategy(reference: str) -> type[Strategy]:
    """The class that `reference` names. Raises `StrategyNotFound`."""
    place, separator, class_name = reference.rpartition(":")
    if not (separator and place and class_name):
        raise StrategyNotFound(f"strategy {reference!r} is not understood (allowed: {ALLOWED})")
    module = _module_from_file(Path(place)) if place.endswith(".py") else _module_by_name(place)
    found = getattr(module, class_name, None)
    if found is None:
        names = ", ".join(_strategies_in(module)) or "none"
        raise StrategyNotFound(f"{place} has no class {class_name}; strategies in it: {names}")
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise StrategyNotFound(f"{reference} is not a subclass of tradewind.strategy.Strategy")
    return found


def try_strategy(reference: str) -> None:
    """Load the class and make one, as the service will. Raises `StrategyNotFound`."""
    strategy = load_strategy(reference)
    try:
        strategy()
    except (Exception, SystemExit) as error:  # foreign code runs here, and may raise anything
        raise StrategyNotFound(f"{reference} cannot be made: {described(error)}") from error


def _module_by_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise StrategyNotFound(f"module {error.name} is not installed (wanted for {name})") from error
    except (Exception, SystemExit) as error:  # foreign code runs here, and may raise anything
        raise StrategyNotFound(f"{name} cannot be imported: {described(error)}") from error


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise StrategyNotFound(f"there is no file {path}")
    name = f"tradewind_user_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are resolved through it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # foreign code runs here, and may raise anything
        del sys.modules[name]
        raise StrategyNotFound(f"{path} cannot be loaded: {described(error)}") from error
    return module


def _strategies_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
    ]
