"""Files are read in a process that nothing they contain can harm."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from backend.files.reading.errors import ReadError
from backend.files.reading.limits import ReadLimits
from backend.files.reading.reader_pool import ReaderPool
from backend.files.reading.text_writer import DocumentFile
from tests.support.pdf import bomb_pdf, text_pdf

pytestmark = pytest.mark.anyio

# Takes what a reader is asked, and never answers.
HANGING = """
import sys, time
sys.stdout.buffer.write(b"\\0\\0\\0\\2{}")
sys.stdout.flush()
time.sleep(60)
"""


@pytest.fixture
async def pool() -> AsyncIterator[ReaderPool]:
    pool = ReaderPool(ReadLimits(seconds=20))
    yield pool
    await pool.close()


@pytest.fixture
def hanging_pool() -> Callable[[float], ReaderPool]:
    def create(seconds: float) -> ReaderPool:
        return ReaderPool(ReadLimits(seconds=seconds), command=(sys.executable, "-c", HANGING))

    return create


async def read(pool: ReaderPool, folder: Path, name: str, content: bytes) -> DocumentFile:
    path = folder / "file"
    path.write_bytes(content)
    return await pool.read(path, name, folder / "text")


async def read_error(pool: ReaderPool, folder: Path, name: str, content: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        await read(pool, folder, name, content)
    assert not (folder / "text").exists()
    return caught.value


def reader_processes() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "backend.files.reading.reader" in child.cmdline()]


def peak_bytes(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


async def test_file_is_read_by_a_process(pool: ReaderPool, tmp_path: Path) -> None:
    file = await read(pool, tmp_path, "a.md", "# Ünë\ntext 🙂\n".encode())

    assert file.text.path == tmp_path / "text"
    assert file.load().text == "# Ünë\ntext 🙂\n"
    assert file.text.slice(6, 12) == "text 🙂"
    assert [(section.start, section.heading) for section in file.sections] == [(0, "Ünë")]


async def test_process_is_used_again_after_a_refusal(pool: ReaderPool, tmp_path: Path) -> None:
    await read(pool, tmp_path, "a.txt", b"words")
    before = reader_processes()
    assert (await read_error(pool, tmp_path, "a.pdf", b"%PDF-")).code == "damaged"
    await read(pool, tmp_path, "a.txt", b"words")
    assert reader_processes() == before


async def test_many_small_files_are_read_quickly(tmp_path: Path) -> None:
    pool = ReaderPool(ReadLimits(), max_files=50)
    path = tmp_path / "file"
    path.write_text("A short text about nothing.\n" * 40)
    async with asyncio.timeout(10):
        for number in range(120):
            await pool.read(path, "a.txt", tmp_path / f"text{number}")
    assert len(reader_processes()) == 1
    await pool.close()
    assert reader_processes() == []


async def test_two_processes_read_at_once(tmp_path: Path) -> None:
    pool = ReaderPool(ReadLimits(), processes=2)
    path = tmp_path / "file"
    path.write_bytes(text_pdf(["words"]))
    files = await asyncio.gather(
        *(pool.read(path, "a.pdf", tmp_path / f"text{number}") for number in range(10))
    )
    assert {file.load().text for file in files} == {"words\n\n"}
    await pool.close()


async def test_progress_is_reported(pool: ReaderPool, tmp_path: Path) -> None:
    shares: list[float] = []
    path = tmp_path / "file"
    path.write_text("Some words, and some more.\n" * 500_000)
    await pool.read(path, "a.md", tmp_path / "text", on_progress=shares.append)

    assert shares == sorted(shares)
    assert all(0 < share <= 1 for share in shares)
    assert len(shares) > 1


@pytest.mark.skipif(sys.platform != "linux", reason="the limit has no effect elsewhere")
async def test_pdf_bomb_ends_only_its_process(pool: ReaderPool, tmp_path: Path) -> None:
    error = await read_error(pool, tmp_path, "a.pdf", bomb_pdf(300 * 1024**2))
    assert error.code in {"reader_crashed", "too_large", "empty"}
    assert (await read(pool, tmp_path, "a.txt", b"words")).load().text == "words"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit has no effect elsewhere")
async def test_file_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    pool = ReaderPool(ReadLimits(memory_bytes=64 * 1024 * 1024))
    error = await read_error(pool, tmp_path, "a.json", b"[" + b"[]," * 4_000_000 + b"[]]")
    assert error.code == "too_large"
    assert (await read(pool, tmp_path, "a.txt", b"words")).load().text == "words"
    await pool.close()


async def test_hanging_reader_is_killed(
    hanging_pool: Callable[[float], ReaderPool], tmp_path: Path
) -> None:
    pool = hanging_pool(0.2)
    error = await read_error(pool, tmp_path, "a.txt", b"words")
    assert error.code == "timed_out"
    assert "longer than 0.2 s" in error.message
    await pool.close()
    assert not psutil.Process().children()


async def test_cancelled_read_kills_the_process(
    hanging_pool: Callable[[float], ReaderPool], tmp_path: Path
) -> None:
    pool = hanging_pool(60)
    task = asyncio.create_task(read(pool, tmp_path, "a.txt", b"words"))
    await asyncio.sleep(0.5)
    children = psutil.Process().children()
    task.cancel()
    await asyncio.wait([task], timeout=5)

    assert task.cancelled()
    assert not children[0].is_running()
    await pool.close()


async def test_killed_reader_is_an_error_and_started_again(
    pool: ReaderPool, tmp_path: Path
) -> None:
    await read(pool, tmp_path, "a.txt", b"words")
    task = asyncio.create_task(read_error(pool, tmp_path, "a.md", b"# word\n" * 5_000_000))
    await asyncio.sleep(0.2)
    reader_processes()[0].kill()

    assert (await task).code == "reader_crashed"
    assert (await read(pool, tmp_path, "a.txt", b"words")).load().text == "words"


async def test_reader_that_does_not_start(tmp_path: Path) -> None:
    pool = ReaderPool(ReadLimits(), command=(sys.executable, "-c", "pass"))
    assert (await read_error(pool, tmp_path, "a.txt", b"words")).code == "reader_unavailable"
    await pool.close()


async def test_full_disk_is_told(tmp_path: Path) -> None:
    pool = ReaderPool(ReadLimits())
    path = tmp_path / "file"
    path.write_bytes(b"words")
    with pytest.raises(ReadError, match="disk may be full") as caught:
        await pool.read(path, "a.txt", tmp_path / "missing" / "text")
    assert caught.value.code == "disk_full"
    await pool.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_memory_does_not_grow_with_the_file(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    line = "A sentence with an ü and a 🙂 in it, which is repeated.\n"
    with path.open("w") as file:
        for _ in range(200):
            file.write(line * (1024 * 1024 // len(line.encode())))
    document = await pool.read(path, "a.txt", tmp_path / "text")

    assert peak_bytes(reader_processes()[0]) < 100 * 1024**2
    assert document.text.slice(document.text.characters - len(line), 10**9) == line


@pytest.mark.slow
async def test_1400_small_files_are_read_in_30_seconds(pool: ReaderPool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("A short abstract about nothing in particular.\n" * 30)
    async with asyncio.timeout(30):
        for _ in range(1400):
            await pool.read(path, "a.txt", tmp_path / "text")
