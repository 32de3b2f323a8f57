"""Open WebUI's `<details>` blocks in an answer."""

import json
import time
from html import escape

import pytest

from backend.conversations.formats.details import split_details

REASONING = '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n'
QUOTED = f"{REASONING}&gt; Hm.\n</details>\n"
OLD_CALLS = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]
OLD_RESULTS = [{"tool_call_id": "c", "content": "ok"}]
OLD_CALL = f'content="{escape(json.dumps(OLD_CALLS))}" results="{escape(json.dumps(OLD_RESULTS))}"'


def call_block(name: str, arguments: object, result: object) -> str:
    """Return a tool call as Open WebUI writes it: JSON in a JSON string, HTML-escaped."""
    values = {"arguments": json.dumps(arguments), "result": result}
    attributes = " ".join(f'{key}="{escape(json.dumps(values[key]))}"' for key in values)
    head = f'<details type="tool_calls" done="true" id="c1" name="{name}"'
    return f'{head} {attributes} files="" embeds="">\n<summary>Done</summary>\n</details>\n'


@pytest.mark.parametrize(
    ("body", "reasoning"),
    [
        (
            "&gt; I&#x27;ll say &quot;a &lt; b&quot; &amp; stop.\n&gt; Done.",
            'I\'ll say "a < b" & stop.\nDone.',
        ),
        ("&gt; Write &amp;amp; for &amp;.", "Write &amp; for &."),
        ("&gt; One\n&gt; \n&gt; Two", "One\n\nTwo"),
        ("&gt; x\n&gt;     indented\n&gt; - a", "x\n    indented\n- a"),
        ("&gt; Is 1 &lt; 2 &gt; 0?", "Is 1 < 2 > 0?"),
        ("&gt; &lt;/details&gt; ends it", "</details> ends it"),
        ("> Not escaped: a < b && &amp; c", "Not escaped: a < b && &amp; c"),
        ("plain &lt;b&gt;", "plain <b>"),
        ("", ""),
    ],
)
def test_reasoning_is_unescaped_once_and_without_quote_marks(body: str, reasoning: str) -> None:
    parts = split_details(f"{REASONING}{body}\n</details>\nThe answer &amp; <b>more</b>.")
    assert parts.reasoning == [reasoning]
    assert parts.content == "The answer &amp; <b>more</b>."


@pytest.mark.parametrize(
    "tag",
    [
        "<details type='reasoning' done='true'>",
        "<details done=true type=reasoning>",
        '<details\n  duration="3"\n  TYPE = "Reasoning" done="true" >',
        '<DETAILS id="a>b" type="reasoning" open>',
        '   <details type="reasoning">',
    ],
)
def test_attributes_may_be_written_in_any_way(tag: str) -> None:
    parts = split_details(f"{tag}\n&gt; Hm.\n</details>\nYes.")
    assert (parts.reasoning, parts.content) == (["Hm."], "Yes.")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (f"{QUOTED}Yes.", "Yes."),
        (f"{QUOTED}\n\n    code\n", "    code\n"),
        (f"One.\n{QUOTED}Two.\n\nThree.", "One.\nTwo.\n\nThree."),
        (f"One.\n{QUOTED}", "One."),
        (f"\n {QUOTED}One", "One"),
        (f"  Kept  \n\n{QUOTED}  two  ", "  Kept  \n\n  two  "),
        (QUOTED, ""),
    ],
)
def test_text_around_a_block_stays_as_it_is(text: str, content: str) -> None:
    parts = split_details(text)
    assert (parts.content, parts.reasoning) == (content, ["Hm."])


@pytest.mark.parametrize(
    "text",
    [
        "No block at all, but &lt;details&gt; and <details>.",
        "<details><summary>More</summary>The model's own.</details>",
        '<details type="">No type</details>',
        '```html\n<details type="reasoning" done="true">\n&gt; x\n</details>\n```\nAn example.',
        '~~~~\n~~~\n<details type="reasoning">\n</details>\n~~~~',
        '    <details type="reasoning">in indented code</details>',
        'Write `<details type="reasoning" done="true">` here.',
        'A tag such as <details type="note"> in a sentence.</details>',
        '<details>\n<details type="reasoning">\n&gt; nested\n</details>\n</details>\nThe end.',
        '<details type="reasoning"',
        '<details type="reasoning" <b>',
        "</details>",
        "",
        "\n  text\n",
    ],
)
def test_other_text_is_not_a_block(text: str) -> None:
    parts = split_details(text)
    assert parts.content == text
    assert (parts.reasoning, parts.tool_calls, parts.left_out) == ([], [], [])


def test_nested_details_are_text_of_the_reasoning() -> None:
    inner = '<details type="tool_calls" name="x" done="true">\n</details>'
    parts = split_details(f"{REASONING}> See\n{inner}\n> and so on\n</details>\nYes.")
    assert parts.reasoning == [f"See\n{inner}\nand so on"]
    assert (parts.tool_calls, parts.content) == ([], "Yes.")


@pytest.mark.parametrize(
    ("text", "reasoning", "content"),
    [
        (f"{REASONING}&gt; Still thinking", ["Still thinking"], ""),
        (f"Yes.\n{REASONING}&gt; Again", ["Again"], "Yes."),
        (f"{REASONING}&gt; One\n{REASONING}&gt; Two\n</details>\nYes.", ["One", "Two"], "Yes."),
        (
            f"{REASONING}> Maybe a <details> tag?\n</details>\nYes.",
            ["Maybe a <details> tag?"],
            "Yes.",
        ),
    ],
)
def test_block_that_is_not_closed_ends_at_the_next(
    text: str, reasoning: list[str], content: str
) -> None:
    parts = split_details(text)
    assert (parts.reasoning, parts.content) == (reasoning, content)


def test_several_blocks_of_every_type_are_read() -> None:
    code = (
        '<details type="code_interpreter" done="true" duration="1" '
        f'output="{escape(json.dumps({"stdout": "2"}))}">\n<summary>Analyzed</summary>\n'
        "```python\nprint('</details>')\n```\n</details>\n"
    )
    search = '<details type="web_search" name="cats">\n<summary>Searched</summary>\n</details>\n'
    call = call_block("weather", {"city": "Ö"}, "It's <fine> & dry")
    parts = split_details(f"{QUOTED}First.\n{call}{QUOTED}{code}{search}Last.")
    assert parts.content == "First.\nLast."
    assert parts.reasoning == ["Hm.", "Hm."]
    functions = [(one["function"]["name"], one["result"]) for one in parts.tool_calls]
    assert functions == [("weather", "It's <fine> & dry"), ("code_interpreter", '{"stdout":"2"}')]
    arguments = [json.loads(one["function"]["arguments"]) for one in parts.tool_calls]
    assert arguments == [{"city": "Ö"}, {"language": "python", "code": "print('</details>')"}]
    assert parts.left_out == [("web search", "cats")]


@pytest.mark.parametrize(
    ("attributes", "arguments", "result"),
    [
        ('name="f" arguments="{&quot;a&quot;: 1}" result="[1]"', '{"a":1}', "[1]"),
        ('name="f" arguments="&quot;{\\&quot;a\\&quot;: 1}&quot;"', '{"a": 1}', None),
        ('name="f" arguments="not JSON &amp; more"', "not JSON & more", None),
        ('name="f"', "", None),
        (
            OLD_CALL,
            "{}",
            "ok",
        ),
    ],
)
def test_tool_calls_of_all_versions_are_kept(
    attributes: str, arguments: str, result: str | None
) -> None:
    parts = split_details(f'<details type="tool_calls" done="true" {attributes}>\n</details>')
    [call] = parts.tool_calls
    assert call["function"] == {"name": "f", "arguments": arguments}
    assert (call["type"], call.get("result"), parts.content) == ("function", result, "")


@pytest.mark.parametrize("attributes", ["", 'name=""', 'content="[1, {}]"', 'content="{"'])
def test_tool_call_without_a_name_is_left_out(attributes: str) -> None:
    parts = split_details(f'<details type="tool_calls" {attributes}>\n</details>\nYes.')
    assert (parts.tool_calls, parts.left_out) == ([], [("tool calls", "")])


def test_files_of_a_tool_call_are_left_out() -> None:
    files = escape(json.dumps([{"type": "image", "name": "plot.png", "url": "data:image/png"}]))
    parts = split_details(f'<details type="tool_calls" name="f" files="{files}">\n</details>')
    assert parts.left_out == [("file", "plot.png")]


@pytest.mark.parametrize(
    "text",
    [
        '<details type="reasoning" done="true"' * 20_000,
        '<details type="reasoning" done="true">' * 20_000,
        '`<details type="reasoning" done="true">' * 20_000,
        '<details type="tool_calls" name="f"></details>' * 20_000,
        '\n<details type="reasoning">' * 20_000,
        "<details" + " " * 500_000,
        "<details>" * 50_000 + "</details>" * 50_000,
        "<summary>" * 50_000,
        "```\n" * 100_000,
        '<details type="code_interpreter">' + "`" * 300_000 + "\n</details>",
        '<details type="code_interpreter">' + "``` \n" * 50_000 + "</details>",
    ],
)
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    started_at = time.monotonic()
    split_details(text)
    assert time.monotonic() - started_at < 5
