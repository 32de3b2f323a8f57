"""llama.cpp's own page in the React page's benchmark: where its parts are, and its chats.

It keeps its chats in the browser, and sends the same additional parameters in all of them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.processes import running_llama_ui
from benchmarks.ui import MESSAGES, UiStack
from benchmarks.web_measures import Bench, Site

_FORM = "form.conversation-chat-form"
_STOP = f"{_FORM} button:has-text('Stop')"
_LONG_CHAT = "long"
# https://github.com/ggml-org/llama.cpp/tree/master/tools/ui, as its page of 2026 stores a chat.
_STORE_CHAT = """([id, count]) => new Promise((resolve, reject) => {
  const opening = indexedDB.open("LlamaUi");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const stores = opening.result.transaction(["conversations", "messages"], "readwrite");
    stores.oncomplete = resolve;
    stores.onerror = () => reject(stores.error);
    const now = Date.now();
    stores.objectStore("conversations")
      .put({ id, name: "Long", lastModified: now, currNode: `m${count - 1}` });
    const messages = stores.objectStore("messages");
    const common = { convId: id, toolCalls: "", timestamp: now };
    messages.put({ ...common, id: "root", type: "root", role: "system", content: "",
      parent: null, children: ["m0"] });
    for (let number = 0; number < count; number++) {
      const role = ["user", "assistant"][number % 2];
      messages.put({ ...common, id: `m${number}`, type: "text", role, extra: [],
        content: `${role} ${number}. ` + "word ".repeat(60), timestamp: now + number,
        parent: number ? `m${number - 1}` : "root",
        children: number < count - 1 ? [`m${number + 1}`] : [] });
    }
  };
})"""


class LlamaBench(Bench):
    """llama.cpp's page; the id of a chat with a script is the script."""

    def chat(self, **script: Any) -> str:
        return json.dumps(script)

    def load(self, page: Page, chat: str | None) -> None:
        script = {"tokens": 4} if chat in (None, self.long_chat) else json.loads(str(chat))
        config = {"customJson": json.dumps({"script": script}), "alwaysShowSidebarOnDesktop": True}
        value = json.dumps(json.dumps(config))
        page.add_init_script(f"localStorage.setItem('LlamaUi.config', {value})")
        super().load(page, chat if chat == self.long_chat else None)


@contextmanager
def running_llama_bench(stack: UiStack, browser: Browser) -> Iterator[LlamaBench]:
    """Run llama.cpp's page, and store a long chat."""
    with running_llama_ui(stack.model) as program:
        bench = LlamaBench(_site(program.port), stack, browser, _LONG_CHAT)
        with bench.page() as page:
            page.evaluate(_STORE_CHAT, [_LONG_CHAT, MESSAGES])
        yield bench


def _site(port: int) -> Site:
    return Site(
        name="llama",
        url=f"http://127.0.0.1:{port}",
        chat_path="/#/chat/{}",
        field=f"{_FORM} textarea",
        ready=f"{_FORM} textarea",
        message="[role=group][aria-label$='message with actions']",
        stop=_STOP,
        idle=f"body:has([aria-label^='Assistant message']):not(:has({_STOP}))",
        scroller="html",
        chat_link="[data-conversation-row=long]",
        types_while_answering=True,
    )
