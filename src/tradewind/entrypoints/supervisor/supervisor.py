"""Runs processes in stages: a stage starts when the one before it is ready, and stops before it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from tradewind.entrypoints.supervisor.child import Child
from tradewind.entrypoints.supervisor.console import Console
from tradewind.entrypoints.supervisor.spec import Patience, ProcessSpec

SUPERVISOR_NAME = "up"


class Supervisor:
    """Starts stages of processes and keeps them running until `stop` or `kill`."""

    def __init__(
        self,
        console: Console,
        *,
        on_change: Callable[[Mapping[str, int]], None],
        patience: Patience | None = None,
    ) -> None:
        self._console = console
        self._patience = patience or Patience()
        self._on_change = on_change
        """Told the process ids by name whenever one of them changes."""
        self._stages: list[list[Child]] = []

    def pids(self) -> dict[str, int]:
        """Process id by name, of those that run now."""
        children = (child for stage in self._stages for child in stage)
        return {child.spec.name: child.pid for child in children if child.pid is not None}

    async def start_stage(self, specs: Sequence[ProcessSpec]) -> None:
        """Start these at once and wait until all are ready; raises `ProcessNotReadyError`."""
        children = [self._child(spec) for spec in specs]
        self._stages.append(children)
        for child in children:
            child.begin()
        waits = [asyncio.create_task(child.until_ready()) for child in children]
        try:
            await asyncio.gather(*waits)
        finally:
            for wait in waits:
                wait.cancel()

    async def stop(self) -> None:
        """Stop everything, the last stage first; those of one stage at once."""
        while self._stages:
            await asyncio.gather(*(child.stop() for child in self._stages[-1]))
            self._stages.pop()

    def kill(self) -> None:
        """End everything at once, without any order."""
        for stage in self._stages:
            for child in stage:
                child.kill()

    def say(self, line: str) -> None:
        """Show a line of the supervisor's own."""
        self._console.show(SUPERVISOR_NAME, line)

    def _show(self, spec: ProcessSpec, line: str) -> None:
        if not any(text in line for text in spec.unshown_texts):
            self._console.show(spec.name, line)

    def _child(self, spec: ProcessSpec) -> Child:
        return Child(
            spec,
            patience=self._patience,
            show=lambda line: self._show(spec, line),
            say=self.say,
            on_change=lambda: self._on_change(self.pids()),
        )
