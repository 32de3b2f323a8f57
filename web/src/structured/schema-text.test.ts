import { expect, test } from "vitest";
import { CUSTOM_SCHEMA_TEXT } from "./examples";
import { errorPosition } from "./json-position";
import { parseSchema, summarize } from "./schema-text";

test("a schema is parsed and summarized", () => {
  const { schema } = parseSchema(CUSTOM_SCHEMA_TEXT);
  expect(summarize(schema ?? {})).toBe("3 fields, all required");
  expect(summarize({ properties: { a: {}, b: {} }, required: ["a"] })).toBe("2 fields, 1 required");
  expect(summarize({ properties: { a: {} } })).toBe("1 field, 0 required");
  expect(summarize({ properties: null, required: "a" })).toBe("");
});

test.each([
  ["", "Enter a JSON Schema."],
  ["[]", "must be a JSON object"],
  ["null", "must be a JSON object"],
  ['{"type": "text"}', '"type" must be object'],
  ['{"type": ["string", 3]}', '"type" must be object'],
  [`{"a": "${"x".repeat(1024 * 1024)}"}`, "too large"],
])("%s is a problem", (text, problem) => {
  expect(parseSchema(text).problem).toContain(problem);
});

test.each([
  ['{\n  "a": 1,\n}', 3, 1],
  ['{"a" 1}', 1, 6],
  ['{"type": "object",\n  "a": }', 2, 8],
  ['{"a": [1, 2}', 1, 12],
  ['{"a": ', 1, 7],
  ['{"a": "x\ny"}', 1, 7],
  ['{"a": 01}', 1, 8],
  ["{'a': 1}", 1, 2],
  ['{"a": 1} 2', 1, 10],
  ["}", 1, 1],
])("invalid JSON is located: %s", (text, line, column) => {
  const { problem, ...place } = parseSchema(text);
  expect(place).toEqual({ line, column });
  expect(problem).toMatch(/^Invalid JSON: [^"]*\.$/);
});

test("deep nesting is located, too", () => {
  expect(errorPosition("[".repeat(100_000))).toBe(100_000);
});
