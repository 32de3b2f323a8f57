import { expect, test } from "vitest";
import { coverage, reliability, taskLabel } from "./file-words";

const passages = ["a.pdf", "a.pdf", "b.pdf", "c.pdf"].map((filename) => ({
  file_id: filename,
  filename,
  start: 0,
  end: 1,
}));

test.each([
  [
    { found: true, strategy: "quotes", read: 5, of: 212, files: 3, passages },
    "Read 5 of 212 passages from a.pdf, b.pdf and 1 other file · Quoted word for word, picked without the model",
  ],
  [
    { found: false, strategy: "quotes", read: 0, of: 1, files: 1 },
    "Read 0 of 1 passage from 1 file",
  ],
  [
    { found: true, strategy: "count", read: 1, of: 1, files: 1 },
    "Read all of 1 file · Counted in the text without the model",
  ],
  [{}, ""],
])("what was read of %o", (retrieval, text) => {
  expect(coverage(retrieval)).toBe(text);
});

test("only what a model wrote is called unverified", () => {
  const retrieval = { found: true, supported: 1, sentences: 4 };
  expect(reliability({ ...retrieval, strategy: "passages" })).toBe(
    "Written by the model, not verified. 1 of 4 sentences have a similar passage in the files, which is no proof.",
  );
  expect(reliability({ ...retrieval, strategy: "quotes" })).toBe("");
});

test("a task is named as a message", () => {
  expect(taskLabel("count", "salt")).toBe("Count the mentions of “salt”");
  expect(taskLabel("first", null, 1)).toBe("The first 1 sentence of the text");
});
