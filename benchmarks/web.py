"""Measures the React page beside the Streamlit page: `make bench-web`.

Both show chats of one API with a fake model server, in one Chromium, in turns; `--pages all` adds
llama.cpp's own page, with the same model server. Exit code 1: a figure of the React page is over
its limit. The limits are for two idle cores; on a busy machine, compare the ratios.
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import httpx

from benchmarks.ui import MESSAGES, UiStack, import_long_chat, running_stack
from benchmarks.web_llama import running_llama_bench
from benchmarks.web_measures import (
    Bench,
    Site,
    first_load,
    first_text,
    heap_growth,
    main_thread,
    open_long_chat,
    opening_shift,
    own_message,
    second_visit,
    stop,
    typing,
)

PAGES = {
    "react": ("react",),
    "both": ("react", "streamlit"),
    "all": ("react", "streamlit", "llama"),
}


@dataclass(frozen=True)
class Case:
    """What is measured, with the React page's limit and aim."""

    name: str
    unit: str
    limit: float
    aim: float | None = None


@dataclass(frozen=True)
class Figure(Case):
    """The medians of the pages; None: not possible there, or not measured."""

    react: float | None = None
    streamlit: float | None = None
    llama: float | None = None

    @property
    def is_within_limit(self) -> bool:
        return self.react is None or self.react <= self.limit

    def ratio(self, page: str) -> float | None:
        """Return how many times as much another page needs."""
        value = getattr(self, page)
        return float(value) / self.react if self.react and value is not None else None


def cases(tokens: int, answers: int) -> list[Case]:
    return [
        Case(f"main thread for {tokens} tokens at 100/s", "s", 3.0, 1.5),
        Case("ready to type, second visit", "s", 0.7, 0.4),
        Case("first load: HTML, JS, CSS", "kB", 230, 180),
        Case("first load, with fonts", "kB", 340),
        Case("first load: requests", "", 12),
        Case(f"send -> own message, {MESSAGES} messages", "s", 0.1, 0.05),
        Case("first token -> first visible text", "s", 0.1),
        Case("Stop -> upstream cancelled", "s", 0.2),
        Case(f"opening a chat of {MESSAGES} messages", "s", 0.3),
        Case(f"scrolling through {MESSAGES} messages", "s", 4.5),
        Case("a key while an answer is written, p99", "s", 0.05),
        Case("layout shift, growing answer", "", 0.02),
        Case(f"layout shift, opening {MESSAGES} messages", "", 0.05),
        Case(f"heap growth over {answers} answers", "MB", 20),
    ]


def measure(
    bench: Bench, *, times: int, tokens: int, answers: int, keys: int
) -> list[float | None]:
    """Return a page's figures, in the order of `cases`."""

    def median(run: Callable[[Bench], float]) -> float:
        return statistics.median(run(bench) for _ in range(times))

    second_visit(bench)  # fill the browser's cache
    seconds, shift = main_thread(bench, tokens)
    load = first_load(bench)
    # Before more messages are added to the long chat.
    chats = [open_long_chat(bench) for _ in range(times)]
    opened_shift = opening_shift(bench)
    return [
        seconds,
        median(second_visit),
        load["code"],
        load["code"] + load["fonts"],
        load["requests"],
        median(own_message),
        median(first_text),
        median(stop),
        statistics.median(chat["opened"] for chat in chats),
        statistics.median(chat["scrolled"] for chat in chats),
        typing(bench, keys),
        shift,
        opened_shift,
        heap_growth(bench, answers) if answers else None,
    ]


def sites(stack: UiStack) -> list[Site]:
    return [
        Site(
            name="react",
            url=f"http://127.0.0.1:{stack.api.port}",
            chat_path="/c/{}",
            field="textarea[aria-label=Message]",
            ready="textarea[aria-label=Message]",
            message="[role=log] section",
            stop="button[aria-label=Stop]",
            idle="form[aria-label='New message']:not(:has(button[aria-label=Stop]))",
            scroller="[role=log]",
            chat_link="[data-chat-link]:has-text('Long')",
            types_while_answering=True,
        ),
        Site(
            name="streamlit",
            url=f"http://127.0.0.1:{stack.page.port}",
            chat_path="/?chat={}",
            field="[data-testid=stChatInputTextArea]",
            ready="[data-testid=stApp][data-test-script-state=notRunning]"
            ":has([data-testid=stChatInputTextArea])",
            message="[data-testid=stChatMessage]",
            stop=".st-key-chat_stop button",
            idle=".st-key-chat_regenerate button",
            scroller="[data-testid=stAppScrollToBottomContainer]",
            chat_link="[data-testid=stSidebar] button:has-text('Long')",
            types_while_answering=False,
        ),
    ]


def report(
    pages: tuple[str, ...], *, times: int, tokens: int, answers: int, keys: int
) -> list[Figure]:
    with running_stack() as stack:
        browser = stack.context.browser
        assert browser is not None  # noqa: S101  # the context is not persistent
        chat = import_chat_with_script(stack)
        benches = [Bench(site, stack, browser, chat) for site in sites(stack)]
        with ExitStack() as programs:
            if "llama" in pages:
                benches.append(programs.enter_context(running_llama_bench(stack, browser)))
            columns = {
                bench.site.name: measure(
                    bench, times=times, tokens=tokens, answers=answers, keys=keys
                )
                for bench in benches
                if bench.site.name in pages
            }
    rows = zip(*(columns[name] for name in pages), strict=True)
    return [
        Figure(**asdict(case), **dict(zip(pages, row, strict=True)))
        for case, row in zip(cases(tokens, answers), rows, strict=True)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="runs per figure (5)")
    parser.add_argument("--tokens", type=int, default=2000, help="length of the long answer (2000)")
    parser.add_argument(
        "--answers", type=int, default=60, help="answers of 500 tokens for the heap (60; 0: none)"
    )
    parser.add_argument("--keys", type=int, default=200, help="keys typed during an answer (200)")
    parser.add_argument(
        "--pages", choices=PAGES, default="both", help="all: llama.cpp's own page as well (both)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    loads = [os.getloadavg()[0]]
    figures = report(
        PAGES[options.pages],
        times=options.times,
        tokens=options.tokens,
        answers=options.answers,
        keys=options.keys,
    )
    loads.append(os.getloadavg()[0])
    if options.json:
        rows = [asdict(figure) | {"ratio": figure.ratio("streamlit")} for figure in figures]
        print(json.dumps({"load_averages": loads, "figures": rows}, indent=1))
    else:
        others = PAGES[options.pages][1:]
        columns = "".join(f" {name:>9} {'ratio':>6}" for name in others)
        print(f"{'':44} {'react':>9}{columns} {'limit':>7} {'aim':>6}")
        for figure in figures:
            print(_line(figure, others))
        print(f"Load average before and after: {loads[0]:.1f}, {loads[1]:.1f}")
    return 0 if all(figure.is_within_limit for figure in figures) else 1


def import_chat_with_script(stack: UiStack) -> str:
    """Import a long chat, whose further answers are short; return its id."""
    chat = import_long_chat(stack.api)
    url = f"http://127.0.0.1:{stack.api.port}/conversations/{chat}"
    httpx.patch(url, json={"parameters": {"script": {"tokens": 4}}}).raise_for_status()
    return chat


def _line(figure: Figure, others: tuple[str, ...]) -> str:
    def number(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"

    name = f"{figure.name} ({figure.unit})" if figure.unit else figure.name
    columns = "".join(
        f" {number(getattr(figure, other)):>9} "
        + ("" if (ratio := figure.ratio(other)) is None else f"{ratio:.1f}x").rjust(6)
        for other in others
    )
    return (
        f"{name:44} {number(figure.react):>9}{columns} "
        f"{number(figure.limit):>7} {number(figure.aim) if figure.aim else '':>6}"
        f"{'' if figure.is_within_limit else '  OVER'}"
    )


if __name__ == "__main__":
    sys.exit(main())
