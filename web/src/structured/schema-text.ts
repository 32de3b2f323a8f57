/** A JSON Schema as it is typed: the schema, or the first problem and where it is. */

import { errorPosition } from "./json-position";

export type Schema = Record<string, unknown>;

export type SchemaText =
  | { schema: Schema; problem?: undefined; line?: undefined; column?: undefined }
  | { schema?: undefined; problem: string; line?: number; column?: number };

const MAX_BYTES = 1024 * 1024; // the API's limit
const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"];

export function parseSchema(text: string): SchemaText {
  if (text.trim() === "") return { problem: "Enter a JSON Schema." };
  if (new TextEncoder().encode(text).length > MAX_BYTES) {
    return { problem: "The schema is too large. The limit is 1 MiB." };
  }
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    return jsonProblem(text, error instanceof Error ? error.message : "");
  }
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    return { problem: 'A schema must be a JSON object, such as {"type": "object"}.' };
  }
  const { type } = schema as Schema;
  if (type !== undefined && ![type].flat().every((name) => TYPES.includes(String(name)))) {
    return { problem: `"type" must be ${TYPES.join(", ")}, or a list of these.` };
  }
  return { schema: schema as Schema };
}

/** Return the number of fields and of required ones, or nothing if it has no fields. */
export function summarize({ properties, required }: Schema): string {
  if (typeof properties !== "object" || properties === null) return "";
  const names = Object.keys(properties);
  if (names.length === 0) return "";
  const isRequired = (name: string) => Array.isArray(required) && required.includes(name);
  const count = names.filter(isRequired).length;
  const fields = names.length === 1 ? "1 field" : `${names.length} fields`;
  return `${fields}, ${count === names.length ? "all" : count} required`;
}

function jsonProblem(text: string, message: string): SchemaText {
  const reason = message
    .replace(/^JSON\.parse: |^JSON Parse error: /, "")
    .replace(/,? (?:in JSON )?at (?:position|line) .*$/s, "")
    .replace(/, (?:\.\.\.)?"[\s\S]*" is not valid JSON$/, "");
  const before = text.slice(0, errorPosition(text)).split("\n");
  return {
    problem: `Invalid JSON: ${reason || "it cannot be parsed"}.`,
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
  };
}
