"""Render a model's Markdown as HTML that can load nothing and run nothing.

The rules are those of the page: HTML in the text is shown as text, links lead to the web or to a
mail address, an image is a link to it, and formulas stay as they were written.
"""

import re
from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

_LINK = re.compile(r"(?:https?://|mailto:)\S", re.IGNORECASE)
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"'`|\\]*[^\s<>\"'`|\\.,;:!?)*_~\]]", re.IGNORECASE)
# What stays as it is: formulas, between dollar signs only with a character that prices do not have;
# then products, powers and names such as __init__.
_LITERAL = re.compile(
    r"""
      \\\((?:[^\\]|\\[^()])+\\\) | \\\[(?:[^\\]|\\[^\[\]])+\\\] | \$\$[^$]+\$\$
    | \$(?![\s$])(?=[^$\n]*[\\^_={}])[^$\n]*[^\s$]\$(?![\w$])
    | (?<=[a-zA-Z\d)\]])(?:\*(?=[a-zA-Z\d(]) | \*\*(?=\d))
    | (?<![\w\\])__[a-zA-Z]\w*?__(?!\w)
    """,
    re.VERBOSE,
)
_LINK_ATTRIBUTES = {"rel": "noopener noreferrer nofollow", "target": "_blank"}

Env = MutableMapping[str, Any]


def render_markdown(text: str) -> str:
    """Return the text as HTML without raw HTML, images, scripts and inline styles."""
    return str(_MARKDOWN.render(text.replace("\0", "\N{REPLACEMENT CHARACTER}")))


def render_plain(text: str) -> str:
    """Return the text as HTML that shows it exactly."""
    return f'<div class="plain" dir="auto">{escape(text)}</div>\n'


def _literal(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  # markdown-it's signature
    """Take text as it is that would be Markdown."""
    if state.src[state.pos] not in "\\$*_" or not (match := _LITERAL.match(state.src, state.pos)):
        return False
    if not silent:
        state.push("text", "", 0).content = match[0]
    state.pos = match.end()
    return True


def _link_web_addresses(state: StateCore) -> None:
    """Make links of the web addresses in the text; mark the images that are in a link already."""
    for block in state.tokens:
        children, depth = list[Token](), 0
        for token in block.children or []:
            depth += token.nesting if token.type.startswith("link_") else 0
            if token.type == "image":
                token.meta["is_in_link"] = depth > 0
            is_text = token.type == "text" and not depth
            children += _split_addresses(token) if is_text else [token]
        block.children = block.children and children


def _split_addresses(text: Token) -> list[Token]:
    tokens, position = list[Token](), 0
    for match in _WEB_ADDRESS.finditer(text.content):
        tokens.append(Token("text", "", 0, content=text.content[position : match.start()]))
        tokens.append(Token("link_open", "a", 1, attrs={"href": match[0]}))
        tokens.append(Token("text", "", 0, content=match[0]))
        tokens.append(Token("link_close", "a", -1))
        position = match.end()
    return [*tokens, Token("text", "", 0, content=text.content[position:])] if tokens else [text]


def _render_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: Env
) -> str:
    for name, value in _LINK_ATTRIBUTES.items():
        tokens[index].attrSet(name, value)
    return renderer.renderToken(tokens, index, options, env)


def _render_image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: Env
) -> str:
    """Render an image as a link to it."""
    token = tokens[index]
    name = renderer.renderInlineAsText(token.children or [], options, env)
    label = f"[Image: {escape(name)}]"
    attributes = {"href": str(token.attrGet("src"))} | _LINK_ATTRIBUTES
    return label if token.meta["is_in_link"] else f"<a{_attributes(attributes)}>{label}</a>"


def _render_cell(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: Env
) -> str:
    """Render the alignment of a table's cell as a class: the page allows no inline styles."""
    if style := tokens[index].attrs.pop("style", None):
        tokens[index].attrSet("class", str(style).replace("text-align:", "align-"))
    return renderer.renderToken(tokens, index, options, env)


def _attributes(values: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in values.items())


def _build() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True})
    markdown.enable(["table", "strikethrough"])
    markdown.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    markdown.inline.ruler.before("escape", "literal", _literal)
    markdown.core.ruler.push("web_addresses", _link_web_addresses)
    markdown.add_render_rule("link_open", _render_link)
    markdown.add_render_rule("image", _render_image)
    markdown.add_render_rule("td_open", _render_cell)
    markdown.add_render_rule("th_open", _render_cell)
    return markdown


_MARKDOWN = _build()
