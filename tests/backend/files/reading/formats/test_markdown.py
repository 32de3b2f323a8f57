"""Markdown is read as it is; its headings start sections."""

from tests.backend.files.reading.conftest import ReadBytes

TEXT = """Before.

# One #
Text of *one*.

Two
---
- item
---
| a | b |
|---|---|
```sh
# a comment
```
~~~~
## no heading
~~~
## no heading
~~~~
   ### Three
#no heading
"""


def test_headings_start_sections(read: ReadBytes) -> None:
    document = read("a.md", TEXT.encode())

    assert document.text == TEXT
    starts = [
        (section.heading, document.text[section.start :][:5]) for section in document.sections
    ]
    assert starts == [
        (None, "Befor"),
        ("One", "# One"),
        ("Two", "Two\n-"),
        ("Three", "   ##"),
    ]
