import { expect, test } from "vitest";
import { highlight } from "./highlight";

function marked(text: string, search: string): string {
  return highlight(text, search)
    .map((part) => (part.isMatch ? `[${part.text}]` : part.text))
    .join("");
}

test.each([
  ["The lighthouse by the LIGHT", "light", "The [light]house by the [LIGHT]"],
  ["a.b*c (x) [y] a-b", "a.b*c", "[a.b*c] (x) [y] a-b"],
  ["C:\\temp/ $5 ^|{}", "\\temp/ $5 ^|{}", "C:[\\temp/ $5 ^|{}]"],
  ["Straße und İstanbul ist groß", "ist", "Straße und İstanbul [ist] groß"],
  ["日本語の本", "本", "日[本]語の[本]"],
  ["👩‍🚀 and 👩", "👩", "[👩]‍🚀 and [👩]"],
  ["nothing", "  ", "nothing"],
  ["nothing", "else", "nothing"],
  ["", "x", ""],
])("in %j, %j is marked", (text, search, result) => {
  expect(marked(text, search)).toBe(result);
});
