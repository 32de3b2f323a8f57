import { expect, test } from "vitest";
import { markWords } from "./marked-words";

function marked(text: string, question: string): string[] {
  return markWords(text, question)
    .filter(({ isMatch }) => isMatch)
    .map((part) => part.text);
}

test("words of the question are marked in any form", () => {
  expect(
    marked("The Lighthouses were built; a lighthouse is high.", "Who built the lighthouse?"),
  ).toEqual(["Lighthouses", "built", "lighthouse"]);
  expect(marked("Cafés of Zürich", "cafe in Zurich")).toEqual(["Cafés", "Zürich"]);
});

test("what says nothing is not marked", () => {
  expect(marked("what is the of", "what is the of")).toEqual([]);
  expect(markWords("", "a")).toEqual([{ text: "", isMatch: false }]);
});

test.each(["a<b>c", "(((", "x".repeat(10_000)])("the parts are the text: %s", (text) => {
  expect(
    markWords(text, text)
      .map((part) => part.text)
      .join(""),
  ).toBe(text);
});
