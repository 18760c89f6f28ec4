"""Bars that wait on disk: in order, within the bound, for whoever comes next."""

import errno
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from io import FileIO
from pathlib import Path

import pytest

from tradewind.adapters.files.bar_backlog import SUFFIX, FileBarBacklog
from tradewind.adapters.memory.bar_backlog import MemoryBarBacklog
from tradewind.domain.market.ticks import Bar
from tradewind.ports.bar_backlog import BarBacklog

ENOUGH_BYTES = 1_000_000

OnDisk = Callable[..., FileBarBacklog]


def bars(*minutes: int) -> list[Bar]:
    one = Decimal("1.50")
    return [Bar("AAPL", "1Min", minute, one, one, one, one, one, 1, one) for minute in minutes]


def minutes(found: Sequence[Bar]) -> list[int]:
    return [bar.start_ns for bar in found]


def emptied(backlog: BarBacklog, step: int = 3) -> list[int]:
    got: list[int] = []
    while found := backlog.oldest(step):
        got += [bar.start_ns for bar in found]
        backlog.forget_oldest()
    return got


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[OnDisk]:
    """Makes backlogs as a process that starts does."""
    made: list[FileBarBacklog] = []

    def make(bytes_max: int = ENOUGH_BYTES, folder: Path = tmp_path) -> FileBarBacklog:
        made.append(FileBarBacklog(folder, bytes_max))
        return made[-1]

    yield make
    for backlog in made:
        backlog.close()


@pytest.fixture(params=["memory", "files"])
def backlog(request: pytest.FixtureRequest, on_disk: OnDisk) -> BarBacklog:
    return MemoryBarBacklog() if request.param == "memory" else on_disk()


def test_bars_come_out_in_the_order_they_went_in(backlog: BarBacklog) -> None:
    for minute in range(10):
        backlog.append(bars(minute))
    assert len(backlog) == 10
    assert backlog.oldest(2) == bars(0, 1)
    assert emptied(backlog) == list(range(10))
    assert len(backlog) == 0
    backlog.append(bars(11))
    assert emptied(backlog) == [11]


def test_what_was_given_out_and_not_stored_is_given_out_again(backlog: BarBacklog) -> None:
    backlog.append(bars(1, 2, 3))
    backlog.oldest(2)
    backlog.append(bars(4))
    assert minutes(backlog.oldest(2)) == [1, 2]
    backlog.forget_oldest()
    assert emptied(backlog) == [3, 4]


def test_at_the_bound_memory_gives_up_the_oldest_and_keeps_what_came_meanwhile() -> None:
    backlog = MemoryBarBacklog(waiting_bars_max=3)
    assert backlog.append(bars(1, 2)) == 0
    backlog.oldest(2)
    assert backlog.append(bars(3, 4)) == 1
    backlog.forget_oldest()
    assert emptied(backlog) == [3, 4]


def test_at_the_bound_the_disk_gives_up_the_oldest_and_stays_within_it(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    backlog = on_disk(bytes_max=4_000)
    given_up = 0
    for minute in range(100):
        backlog.oldest(1)  # somebody is about to store the oldest
        given_up += backlog.append(bars(minute))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) == backlog.size_bytes <= 4_000
    assert given_up == 100 - len(backlog) > 50
    kept = list(range(given_up, 100))
    backlog.forget_oldest()
    assert emptied(backlog) in (kept, kept[1:])
    assert list(tmp_path.iterdir()) == []


def test_the_next_process_finds_what_its_predecessor_left(on_disk: OnDisk, tmp_path: Path) -> None:
    first = on_disk()
    first.append(bars(1, 2, 3))
    first.oldest(1)
    first.forget_oldest()
    first.append(bars(4))
    assert first.close() == 0
    second = on_disk()
    assert len(second) == 4  # one is stored already; storing it again changes nothing
    second.append(bars(5))
    assert emptied(second) == [1, 2, 3, 4, 5]


def test_what_another_process_uses_is_left_to_it(on_disk: OnDisk, tmp_path: Path) -> None:
    first, second = on_disk(), on_disk()
    first.append(bars(1))
    second.append(bars(2))
    assert emptied(second) == [2]
    assert emptied(first) == [1]


def test_half_a_line_after_a_power_cut_costs_no_other_bar(on_disk: OnDisk, tmp_path: Path) -> None:
    first = on_disk()
    first.append(bars(1, 2))
    first.close()
    (path,) = tmp_path.glob(f"*{SUFFIX}")
    path.write_bytes(path.read_bytes()[:-20])
    assert emptied(on_disk()) == [1]


def test_a_full_disk_makes_bars_wait_in_memory(
    on_disk: OnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog = on_disk()
    backlog.append(bars(1))

    class FullDisk(FileIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tradewind.adapters.files.bar_backlog.FileIO", FullDisk)
        backlog.oldest(1)
        backlog.append(bars(2))
        assert len(backlog) == 2
    backlog.append(bars(3))
    assert sorted(emptied(backlog)) == [1, 2, 3]


def test_a_folder_that_cannot_be_made_loses_nothing_while_the_process_runs(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    backlog = on_disk(folder=tmp_path / "file" / "folder")
    assert backlog.append(bars(1, 2)) == 0
    assert minutes(backlog.oldest(1)) == [1]
    backlog.forget_oldest()
    assert backlog.close() == 1


def test_numbers_keep_their_digits_on_disk(on_disk: OnDisk, tmp_path: Path) -> None:
    backlog = on_disk()
    backlog.append(bars(1))
    (found,) = backlog.oldest(1)
    assert str(found.close) == "1.50"
