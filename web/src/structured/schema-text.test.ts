import { expect, test } from "vitest";
import { CUSTOM_SCHEMA_TEXT } from "./examples";
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
])("invalid JSON is located", (text, line, column) => {
  expect(parseSchema(text)).toMatchObject({ line, column });
});

test("a problem without a place has only a reason", () => {
  const { problem, line } = parseSchema('{"a": ');
  expect(problem).toMatch(/^Invalid JSON: /);
  expect(line === undefined || line === 1).toBe(true);
});
