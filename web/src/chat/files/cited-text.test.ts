import { expect, test } from "vitest";
import type { Citation } from "../types";
import { citationPlugin, citedText, type Node } from "./cited-text";

function citation(index: number, quote: string, match = "quote"): Citation {
  return { file_id: "file-1", filename: "a.txt", index, start: 0, end: 1, quote, match };
}

test("places are counted in code points, and quotes stand apart from the Markdown", () => {
  const text = "😀 “**bold**” and more";
  expect(citedText(text, [citation(12, "**bold**")])).toBe(
    "😀 “\ue0f10\ue0f2” \ue0f00\ue0f2 and more",
  );
});

test("numbers follow the places, whatever the order of the citations", () => {
  const citations = [citation(99, ""), citation(1, "b", "similar_passage")];
  expect(citedText("ab\ue0f0", citations)).toBe("a \ue0f01\ue0f2b\ufffd \ue0f00\ue0f2");
});

test("code is closed before a number", () => {
  const text = "```\ncode\n```";
  expect(citedText(text, [citation(12, "")])).toBe(`${text}\n\n\ue0f00\ue0f2`);
});

test("placeholders become elements in text, and text in code", () => {
  const text = citedText("“x” y", [citation(3, "x")]);
  const tree: Node = {
    type: "root",
    children: [
      { type: "paragraph", children: [{ type: "text", value: text }] },
      { type: "code", value: text },
    ],
  };
  citationPlugin([citation(3, "x")])()(tree);
  const [paragraph, code] = tree.children ?? [];
  expect(paragraph?.children?.map(({ type, value }) => value ?? type)).toEqual([
    "“",
    "x",
    "” ",
    "citation",
    " y",
  ]); // prettier-ignore
  expect(code?.value).toBe("“x” [1] y");
});
