"""Render a conversation as a self-contained HTML page, which loads nothing and runs nothing."""

import base64
import hashlib
from datetime import datetime
from html import escape

from backend.conversations.citations import numbered
from backend.conversations.conversation import ConversationFields, Message
from backend.conversations.export import message_notes, speaker_name
from backend.conversations.exported_images import ReadImage, image_data_url, stored_images
from backend.conversations.exported_steps import ExportedStep, StepReader, pretty_json
from backend.conversations.markdown import render_markdown, render_plain
from backend.images.parts import placeholder
from backend.json_values import as_dict, as_str

# A megabyte of Markdown takes 15 s: what comes after this many characters is shown as it is.
MAX_MARKDOWN_CHARACTERS = 200_000

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #FBF7F0; --ink: #2A211B; --faint: #746757; --line: #E2D5C1; --bubble: #F3EADC;
  --code: #F1E6D4; --ember: #B4532A; --link: #0F6B6B;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171412; --ink: #F2E9DD; --faint: #A69684; --line: #3A312A; --bubble: #221D19;
    --code: #241E19; --ember: #F0905B; --link: #6CC7C2;
  }
}
* { box-sizing: border-box; }
body {
  max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 Figtree, system-ui, sans-serif; overflow-wrap: anywhere;
}
h1, h2, h3, h4, h5, h6 {
  font-family: "Bricolage Grotesque", Figtree, system-ui, sans-serif; line-height: 1.25;
  margin: 1.5em 0 .5em;
}
header { border-bottom: 2px solid var(--ember); margin-bottom: 2rem; }
header h1 { margin: 0; font-size: 2rem; }
.meta, .note { color: var(--faint); font-size: .875rem; }
.note { border-left: 3px solid var(--ember); padding-left: .75rem; }
article { margin: 1.75rem 0; }
article.step, article.step + article:not(:has(.speaker)) { margin-top: -1.25rem; }
.speaker { font-size: .9375rem; margin: 0 0 .35rem; }
.speaker time { color: var(--faint); font-weight: 400; }
.user > .plain, .system > .plain, .tool > .plain {
  background: var(--bubble); border-radius: .85rem; padding: .75rem 1rem;
}
.plain, pre { white-space: pre-wrap; }
figure { margin: .75rem 0; }
figure img { border-radius: .85rem; max-height: 32rem; max-width: 100%; }
figcaption { color: var(--faint); font-size: .875rem; }
details + .markdown { margin-top: .85rem; }
.markdown > :first-child { margin-top: 0; }
.markdown > :last-child { margin-bottom: 0; }
.markdown h1 { font-size: 1.5rem; }
.markdown h2 { font-size: 1.25rem; }
.markdown h3 { font-size: 1.1rem; }
a { color: var(--link); }
code, pre { font-family: "JetBrains Mono", ui-monospace, monospace; font-size: .875em; }
code { background: var(--code); border-radius: .3rem; padding: .1em .3em; }
pre { background: var(--code); border-radius: .85rem; padding: .85rem 1rem; overflow-x: auto; }
pre code { padding: 0; background: none; }
blockquote {
  border-left: 3px solid var(--line); color: var(--faint); margin-left: 0; padding-left: 1rem;
}
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .35rem .7rem; text-align: left; }
th { background: var(--bubble); }
.align-right { text-align: right; } .align-center { text-align: center; }
hr { border: 0; border-top: 1px solid var(--line); }
details {
  border: 1px solid var(--line); border-radius: .85rem; margin: .5rem 0; padding: .5rem 1rem;
}
summary { color: var(--faint); cursor: pointer; font-size: .9375rem; }
@media print {
  :root {
    --paper: #FFF; --ink: #000; --faint: #555; --line: #BBB; --bubble: #F4F4F4; --code: #F4F4F4;
    --link: #000;
  }
  body { max-width: none; padding: 0; font-size: 11pt; }
  .speaker, summary { break-after: avoid; }
  pre, tr, blockquote { break-inside: avoid; }
  details::details-content { content-visibility: visible; display: block; }
}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Whatever the messages contain: no scripts, no styles but this one, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


class HtmlExport:
    """Renders a conversation as a page: answers as Markdown, all else as it was written.

    Of a very long one, later answers are shown as they were written, too.
    """

    def __init__(self, read_image: ReadImage = lambda _: None) -> None:
        self._read_image = read_image
        self._characters_left = MAX_MARKDOWN_CHARACTERS
        self._steps = StepReader()

    def start(self, conversation: ConversationFields) -> str:
        title = escape(conversation.title or "Conversation")
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(CONTENT_SECURITY_POLICY)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1 dir="auto">{title}</h1>
<p class="meta">{_time(conversation.created_at)} · Exported from SmolChat</p>
</header>
<main>
{_system_prompt(conversation)}"""

    def end(self) -> str:
        return "</main>\n</body>\n</html>\n"

    def message(self, message: Message) -> str:
        step, is_continued = self._steps.read(message)
        if step:
            return _article("step", _step(step))
        speaker = escape(speaker_name(message))
        heading = f'<h2 class="speaker">{speaker} {_time(message.created_at)}</h2>\n'
        parts = [] if is_continued else [heading]
        if message.reasoning:
            parts.append(_details("Reasoning", self._markdown(message.reasoning)))
        parts += [_tool_call(call) for call in message.tool_calls or []]
        content, citations = numbered(message.content, message.annotations or ())
        if message.role == "assistant":
            parts.append(self._markdown(content))
            parts += _citations(citations)
        elif message.content:
            parts.append(render_plain(message.content))
        parts += [self._image(name, sha256) for name, sha256 in stored_images(message)]
        parts += [f'<p class="note">{escape(note)}</p>\n' for note in message_notes(message)]
        return _article(message.role, "".join(parts))

    def _image(self, name: str, sha256: str) -> str:
        if (data := self._read_image(sha256)) is None:
            return f'<p class="note">{escape(placeholder(name))}</p>\n'
        image = f'<img src="{image_data_url(data)}" alt="{escape(name or "Image")}">'
        return f"<figure>{image}<figcaption>{escape(name)}</figcaption></figure>\n"

    def _markdown(self, text: str) -> str:
        if not text:
            return ""
        self._characters_left -= len(text)
        if self._characters_left < 0:
            return render_plain(text)
        return f'<div class="markdown" dir="auto">{render_markdown(text)}</div>\n'


def _system_prompt(conversation: ConversationFields) -> str:
    if not conversation.system_prompt:
        return ""
    content = '<h2 class="speaker">System</h2>\n' + render_plain(conversation.system_prompt)
    return _article("system", content)


def _article(role: str, content: str) -> str:
    return f'<article class="{escape(role)}">\n{content}</article>\n'


def _details(summary: str, content: str, *, is_open: bool = False) -> str:
    tag = "<details open>" if is_open else "<details>"
    return f"{tag}\n<summary>{escape(summary)}</summary>\n{content}</details>\n"


def _tool_call(call: dict[str, object]) -> str:
    function = as_dict(call.get("function"))
    content = _code(as_str(function.get("arguments")))
    if "result" in call:
        content += f"<p>Result</p>\n{_code(as_str(call['result']))}"
    return _details(f"Tool call: {as_str(function.get('name')) or 'unknown'}", content)


def _step(step: ExportedStep) -> str:
    content = ""
    if step.edited_arguments:
        content += f"<p>Edited arguments</p>\n{_code(step.edited_arguments)}"
    content += _code(step.text) if step.text else ""
    return _details(step.label, content, is_open=step.is_failed)


def _citations(lines: list[str]) -> list[str]:
    items = "".join(f'<li dir="auto">{escape(line)}</li>\n' for line in lines)
    return [_details("From the files", f"<ol>\n{items}</ol>\n", is_open=True)] if lines else []


def _code(text: str) -> str:
    return f'<pre dir="auto">{escape(pretty_json(text))}</pre>\n'


def _time(moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M} UTC</time>'
