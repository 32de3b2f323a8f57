import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { splitGrowing } from "./growing-text";
import { Markdown } from "./markdown";

const TEXTS = [
  "Plain words, and more of them; it's a well-known 'fact': yes. Then (in brackets) 3.5 % more!",
  "Some **bold words** and *others* that_are_joined, `code here` and ~~deleted~~ ones at the end.",
  "**Never closed and *nested words here\n_under_score and_ more words **now closed** at last",
  "# A heading of words # and\nThen text below it\n=== more words\n- - a list in lists",
  "1. First thing to do\n2. Second **thing** to do\n   - below it\n\n     a paragraph of words\n3) other",
  "- [ ] a task to do\n- [x] another task\n\n      indented code here\n- last item of words",
  "> quoted words here\nand lazily more\n> - with a list\n\n    indented code is that",
  "See www.example.com for more, http://example.org/some words, me@example.com or ftp: no. www. no",
  "A [link to it](http://example.org 'with a title') and [an open one](http://example.org \"title",
  "An ![image of it](http://example.org/a.png) and [a reference][1] that\n[1]: http://example.org is",
  "| one | two words |\n| --- | --- |\n| some more | words here | too many words\n| fewer words\n",
  "```python and more words\nprint with words\n``` not closed\n```\nafter it some words",
  "a < b and <b>some words</b> &amp; more &copy words <div class\n<div> block words\nmore words",
  "Price is $5 and more, a formula $x + y$ and words",
  "Line one  \nline two \\\nline three\tand a tab\n---\nmore words here",
  "今天天气很好，我们去公园。 Ünïcödé wörds – “quoted” 😀 more wörds مرحبا بالعالم الكبير",
  "***bold and italic*** words _a_b c_ d** e **f",
];

const html = (text: string, isGrowing: boolean) =>
  renderToStaticMarkup(<Markdown text={text} isGrowing={isGrowing} />);

test.each(TEXTS)("a text looks the same while it grows: %s", (text) => {
  for (let end = text.length; end > 0; end -= 3) {
    const part = text.slice(0, end);
    expect(html(part, true)).toBe(html(part, false));
  }
});

test.each([
  ["Hello", "Hello", ""],
  ["Hello there, my friend. ", "Hello", " there, my friend. "],
  ["Some **bold** words and more", "Some **bold** words", " and more"],
  ["1. item of a list", "1. item", " of a list"],
  ["see www.example.com for more words", "see www.example.com", " for more words"],
  ["see www. and", "see www. and", ""],
])("plain words at the end need not be parsed: %s", (text, settled, added) => {
  expect(splitGrowing(text)).toEqual([settled, added]);
});
