import { describe, expect, it } from "vitest";
import {
  additional,
  COMMON,
  type Field,
  fromLines,
  parseAdditional,
  parseNumber,
  parseSeed,
  toLines,
} from "./fields";

const field = (name: string) => COMMON.find((each) => each.name === name) as Field;

describe("parseNumber", () => {
  it.each([
    ["0.7", "temperature", 0.7],
    ["0,7", "temperature", 0.7],
    ["", "temperature", undefined],
    ["3", "temperature", undefined],
    ["NaN", "temperature", undefined],
    ["1e999", "top_k", undefined],
    ["1.5", "top_k", undefined],
    ["-1", "max_tokens", -1],
  ])("reads %j of %s", (text, name, expected) => {
    expect(parseNumber(text, field(name))).toBe(expected);
  });
});

describe("parseAdditional", () => {
  it.each([
    ["", {}],
    ['{"min_keep": 1}', { min_keep: 1 }],
    ["[1]", expect.stringContaining("JSON object")],
    ["{", expect.stringContaining("Invalid JSON")],
    ['{"messages": []}', '"messages" is set by the page.'],
    ['{"top_k": 1}', '"top_k" has a field of its own above.'],
  ])("reads %j", (text, expected) => {
    expect(parseAdditional(text)).toEqual(expected);
  });

  it("has what no field has", () => {
    expect(additional({ top_k: 1, seed: 2, x: 3, smolchat: {} })).toEqual({ x: 3 });
  });
});

it("keeps line breaks in stop sequences", () => {
  const stops = ["\n\n", "a\\n", "\tx"];
  expect(fromLines(toLines(stops))).toEqual(stops);
  expect(toLines("END")).toBe("END");
  expect(fromLines("")).toEqual([]);
});

it.each([
  ["-1", -1],
  ["42", 42],
  ["9007199254740993", undefined],
  ["1.5", undefined],
  ["", undefined],
])("reads the seed %j", (text, expected) => {
  expect(parseSeed(text)).toBe(expected);
});
