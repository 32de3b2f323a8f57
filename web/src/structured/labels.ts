/** Texts about a structured output: progress, cost, attempts and rules. */
import type { Format } from "@/settings/format";
import { UNKNOWN } from "@/settings/format";
import type { Attempt, Progress, Rule } from "./request";

const RULES: Record<string, string> = {
  uniqueItems: "no duplicate items",
  multipleOf: "multiples of a number",
  minimum: "minimum value",
  exclusiveMinimum: "minimum value",
  maximum: "maximum value",
  exclusiveMaximum: "maximum value",
  pattern: "string pattern",
  format: "string format",
  contentEncoding: "string encoding",
  contentMediaType: "media type of a string",
  unevaluatedProperties: "no additional fields",
  unevaluatedItems: "no additional items",
  dependentRequired: "fields required by other fields",
  dependentSchemas: "rules that depend on a field",
  dependencies: "rules that depend on a field",
  not: "forbidden values",
  if: "conditional rules",
  allOf: "all of several schemas",
  oneOf: "exactly one of several schemas",
};

const PHASES: Record<string, string> = {
  loading: "Loading the model",
  reading: "Processing the prompt",
  writing: "Generating",
};
/** More than any model can write: a larger number is an error. */
const MAX_NEEDED_TOKENS = 1_000_000;

export function ruleLabel({ keyword, pointer }: Rule): string {
  const description = RULES[keyword] ?? keyword;
  return pointer === "" ? description : `${description} at ${pointer}`;
}

export function locationLabel(pointer: string): string {
  return pointer || "top level";
}

export function progressLabel(progress: Progress | undefined, attempt: number): string {
  const phase = phaseLabel(progress);
  return attempt > 1 ? `${phase}, attempt ${attempt}…` : `${phase}…`;
}

function phaseLabel(progress: Progress | undefined): string {
  const name = progress?.phase ?? "";
  if (name === "waiting" && progress?.position) return `Queued, position ${progress.position}`;
  const phase = PHASES[name] ?? "Waiting for the model";
  const share = progress?.fraction;
  return share && name !== "writing" ? `${phase}, ${Math.round(100 * share)}%` : phase;
}

/** Format what an output took as one line, without what was not measured. */
export function summaryLine(
  { name, attempts, seconds, usage }: Summary,
  format: Pick<Format, "number">,
): string {
  const parts = [name ?? "custom schema"];
  if (attempts.length > 0) {
    parts.push(attempts.length === 1 ? "1 attempt" : `${attempts.length} attempts`);
  }
  if (seconds !== undefined) parts.push(`${format.number(seconds)} s`);
  if (usage?.prompt_tokens != null)
    parts.push(`${format.number(usage.prompt_tokens)} prompt tokens`);
  if (usage?.completion_tokens != null) {
    parts.push(`${format.number(usage.completion_tokens)} completion tokens`);
  }
  return parts.join(" · ");
}

type Summary = {
  name: string | undefined;
  attempts: Attempt[];
  seconds: number | undefined;
  usage: { prompt_tokens: number | null; completion_tokens: number | null } | undefined;
};

export function attemptErrors(attempt: Attempt): string {
  const [first] = attempt.errors;
  if (first === undefined) return "none";
  const more = attempt.errors.length > 1 ? ` and ${attempt.errors.length - 1} more` : "";
  return `${first.keyword} at ${locationLabel(first.pointer)}${more}`;
}

export function attemptSeconds({ ms }: Attempt, format: Pick<Format, "number">): string {
  return typeof ms === "number" ? format.number(ms / 1000) : UNKNOWN;
}

/** Return the `max_tokens` that the schema's shortest output needs, if an error says so. */
export function neededTokens(code: string, details: Record<string, unknown>): number | undefined {
  const tokens = details.max_tokens;
  if (code !== "schema_too_large" || typeof tokens !== "number") return undefined;
  return Number.isInteger(tokens) && tokens > 0 && tokens <= MAX_NEEDED_TOKENS ? tokens : undefined;
}
