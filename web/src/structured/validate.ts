/** Judges the outputs of the benchmark by their schema; loaded with the first one. */
import { type OutputUnit, Validator, type Schema as ValidatorSchema } from "@cfworker/json-schema";
import type { Schema } from "./schema-text";

const MAX_MESSAGE_CHARACTERS = 300;
const FENCE = /^\s*```[\w-]*\n([\s\S]*?)\n?```\s*$/;

export type Judge = (text: string) => string | undefined;

/** Return what judges a text: it returns the first error, or undefined if there is none. */
export function judgeOf(schema: Schema): Judge {
  const validator = new Validator(schema as ValidatorSchema, draftOf(schema), true);
  return (text) => {
    let value: unknown;
    try {
      value = JSON.parse(FENCE.exec(text)?.[1] ?? text);
    } catch {
      return "not JSON";
    }
    const { valid, errors } = validator.validate(value);
    return valid ? undefined : describe(errors.at(-1));
  };
}

function describe(error: OutputUnit | undefined): string {
  const place = (error?.instanceLocation ?? "#").slice(1);
  const message = error?.error ?? "does not match the schema";
  return `${place} ${message}`.trim().slice(0, MAX_MESSAGE_CHARACTERS);
}

function draftOf({ $schema }: Schema): "4" | "7" | "2019-09" | "2020-12" {
  const uri = String($schema ?? "");
  for (const draft of ["4", "7", "2019-09"] as const) {
    if (uri.includes(`draft-0${draft}`) || uri.includes(`draft/${draft}`)) return draft;
  }
  return "2020-12";
}
