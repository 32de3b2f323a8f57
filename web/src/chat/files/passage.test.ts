import { expect, test } from "vitest";
import { excerpts } from "./passage";

test("a quote over two passages is marked in both, and far text is cut off", () => {
  const long = `${"word ".repeat(200)}😀end`;
  const passages = [
    { start: 0, end: 1004, text: long, page: 1, heading: null },
    { start: 1006, end: 1009, text: "Big", page: 2, heading: null },
    { start: 9000, end: 9003, text: "far", page: 9, heading: null },
  ];
  const shown = excerpts(passages, { start: 1000, end: 1008 });
  expect(shown.map(({ page, marked, after }) => [page, marked, after])).toEqual([
    [1, "😀end", ""],
    [2, "Bi", "g"],
  ]);
  expect(shown[0]?.before).toMatch(/^word /);
  expect(shown[0]?.before.length).toBeLessThanOrEqual(500);
});
