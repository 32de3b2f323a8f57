// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import { formatOf, isLocale, UNKNOWN } from "./format";

describe("numbers and sizes", () => {
  test.each([
    [0, "0"],
    [1234567, "1,234,567"],
    [2.3456, "2.35"],
    [1234.5, "1,235"],
    [null, UNKNOWN],
    [Number.POSITIVE_INFINITY, UNKNOWN],
  ])("the number %s is %s", (value, text) => {
    expect(formatOf("en-US").number(value)).toBe(text);
  });

  test.each([
    [999, "999 bytes"],
    [1500, "1.5 kB"],
    [770448, "770 kB"],
    [2.5e15, "2,500 TB"],
    [undefined, UNKNOWN],
  ])("%s bytes are %s", (value, text) => {
    expect(formatOf("en-US").bytes(value)).toBe(text);
  });
});

test("dates are in the language that was chosen, and an invalid one is the browser's", () => {
  expect(formatOf("de-DE").month("2026-03-02T12:00:00Z")).toBe("März 2026");
  expect(formatOf("not a language").month("2026-03-02T12:00:00Z")).toContain("2026");
  expect(formatOf("en-US").date("not a date")).toBe(UNKNOWN);
  expect(isLocale("x")).toBe(false);
});
