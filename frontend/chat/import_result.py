"""What an import of chats has done, in words."""

from api.conversations import ImportResult, LeftOut
from sanitize.plain_text import message_text, plain_text

MAX_SHOWN = 20


def imported_text(result: ImportResult) -> str:
    count = result.imported_count
    return "1 chat imported" if count == 1 else f"{count:,} chats imported"


def left_out_text(result: ImportResult) -> str:
    """Return Markdown that lists what was left out and why, or an empty string."""
    if not result.left_out:
        return ""
    lines = [f"- {_line(item)}" for item in result.left_out[:MAX_SHOWN]]
    if more := result.left_out_count - len(lines):
        lines.append(f"- and {more:,} more")
    return "\n".join(["Left out:", *lines])


def _line(item: LeftOut) -> str:
    title = plain_text(item.title) or f"Chat {item.index + 1}"
    scope = "only a part" if item.imported else "the whole chat"
    return f"**{title}** ({scope}): {message_text(item.reason)}"
