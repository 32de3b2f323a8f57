"""A PDF of eleven pages, of which the last one has a fact that a question asks for."""

from pathlib import Path

from tests.support.pdf import text_pdf

FACT = "The town clock of Arvenholt was wound by Helena Sturm every Sunday."
TOPICS = ("glass", "copper", "bridges", "maps", "paper", "salt", "silk", "steam", "canals", "ink")
PAGES = [f"Merchants of {topic} met in the market hall in autumn. " * 12 for topic in TOPICS]


def write_chronicle(folder: Path) -> Path:
    path = folder / f"chronicle of {'a' * 120}.pdf"
    path.write_bytes(
        text_pdf([*PAGES, f"On clocks. {FACT} They were small. " + "Tick tock. " * 40])
    )
    return path
