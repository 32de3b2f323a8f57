"""Texts that every validator of the stack accepts as JSON, and texts that none accepts."""

VALID_JSON = [
    "1e99",
    "1" * 300,
    '"1e999"',
    "[0.1e-999]",
    '"' + "1" * 999 + '"',
    "[" * 150 + "]" * 150,
    r'"\ud83d\ude00"',
    ' {"a": 1}\n',
    *(
        f'{opening}{{"a": "```"}}{closing}'
        for opening in ("```json\n", "```\n", "\n ```json ", "```")
        for closing in ("\n```", "```\n", " ``` \n")
    ),
]
INVALID_JSON = [
    "",
    "NaN",
    '{"a": NaN}',
    "[Infinity]",
    "-Infinity",
    "1e999",
    '{"a": -1E+0999}',
    "1" * 400 + ".0",
    "9" * 5000,
    '{"a": 1, "a": 1}',
    '[{"a": 1, "b": {"c": 1, "c": 2}}]',
    "[1,]",
    "{'a': 1}",
    "{a: 1}",
    "01",
    "1 2",
    '{"a": 1} Done.',
    'Here: {"a": 1}',
    r'"\ud800"',
    r'{"\ud800": 1}',
    '"a\nb"',
    "// no\n1",
    '{"a": 1',
    "[" * 250 + "]" * 250,
    "[" * 100_000,
    "```json\n{}",
    "```JSON\n{}\n```",
    "```python\n{}\n```",
    "```json\n{}\n``` ok",
    "```json\n```",
    "``````",
    "`{}`",
]
