"""The map for readers: its files exist, in an order that can be read, and few enough of them."""

from tools.reading_path import PACKAGE, ROOT, tables

WAY, LIBRARY = tables((ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8"))
WRITTEN = list(WAY).index("audio/writing.py") + 1


def test_all_files_exist() -> None:
    assert len(WAY) > 20
    assert len(LIBRARY) > 20
    assert [name for name in (*WAY, *LIBRARY) if not (PACKAGE / name).exists()] == []


def test_no_file_is_named_twice() -> None:
    assert not [name for name in WAY if any(name == entry for entry in LIBRARY)]


def test_readers_go_back_to_earlier_files_only() -> None:
    numbers = {number: int(back) for number, back in enumerate(WAY.values(), 1) if back}
    assert all(back < number - 1 for number, back in numbers.items())


def test_the_way_to_the_written_file_is_short() -> None:
    assert len(WAY) <= 30
    assert sum(bool(back) for back in list(WAY.values())[:WRITTEN]) <= 10
