/** The sampling parameters that the panel offers, with labels, help and the API's bounds. */

export type Field = {
  name: string;
  label: string;
  min: number;
  max: number;
  step: number;
  help: string;
  /** The value with which it has no effect, or the usual one: where its slider stands at first. */
  neutral: number;
  /** The most that its slider reaches, if that is less than the bound. */
  slider?: number;
};

const MAX_COUNT = 2 ** 31 - 1;

// biome-ignore format: a table
export const COMMON: Field[] = [
  { name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.05, neutral: 1, help: "Randomness: 0 is deterministic, above 1 is erratic." },
  { name: "top_p", label: "Top-p", min: 0, max: 1, step: 0.01, neutral: 1, help: "Sample from the most likely tokens that add up to this probability. 1 is off." },
  { name: "top_k", label: "Top-k", min: -1, max: MAX_COUNT, step: 1, neutral: 0, slider: 100, help: "Sample from this many of the most likely tokens. 0 is off." },
  { name: "min_p", label: "Min-p", min: 0, max: 1, step: 0.01, neutral: 0, help: "Drop tokens less likely than this fraction of the most likely one. 0 is off." },
  { name: "repeat_penalty", label: "Repeat penalty", min: 0.05, max: 10, step: 0.01, neutral: 1, slider: 2, help: "Makes tokens that already appeared less likely. 1 is off; 1.1 helps small models." },
  { name: "max_tokens", label: "Max tokens", min: -1, max: MAX_COUNT, step: 1, neutral: 1024, slider: 4096, help: "Maximum length of the response. -1 is no limit." },
];

// biome-ignore format: a table
export const MORE: Field[] = [
  { name: "typical_p", label: "Typical-p", min: 0, max: 1, step: 0.01, neutral: 1, help: "Prefer tokens of average surprise, up to this total probability. 1 is off." },
  { name: "top_n_sigma", label: "Top-nσ", min: -1, max: 100, step: 0.1, neutral: -1, slider: 5, help: "Keep tokens within this many standard deviations of the most likely one. -1 is off." },
  { name: "dynatemp_range", label: "Dynatemp range", min: 0, max: 2, step: 0.05, neutral: 0, help: "Vary the temperature by up to this much, by how certain the model is. 0 is off." },
  { name: "dynatemp_exponent", label: "Dynatemp exponent", min: 0, max: 100, step: 0.1, neutral: 1, slider: 5, help: "How strongly the model's uncertainty changes the temperature." },
  { name: "presence_penalty", label: "Presence penalty", min: -2, max: 2, step: 0.05, neutral: 0, help: "Penalizes tokens that already appeared. Above 0 encourages new topics." },
  { name: "frequency_penalty", label: "Frequency penalty", min: -2, max: 2, step: 0.05, neutral: 0, help: "Penalizes tokens by how often they appeared. Above 0 reduces repetition." },
  { name: "repeat_last_n", label: "Repeat last n", min: -1, max: 1_000_000, step: 1, neutral: 64, slider: 512, help: "How many of the last tokens are penalized. 0 is off, -1 is the whole context." },
  { name: "dry_multiplier", label: "DRY multiplier", min: 0, max: 100, step: 0.05, neutral: 0, slider: 2, help: "How strongly repeated phrases are penalized. 0 is off; 0.8 is typical." },
  { name: "dry_base", label: "DRY base", min: 1, max: 100, step: 0.05, neutral: 1.75, slider: 4, help: "How fast the DRY penalty grows with the length of the phrase." },
  { name: "dry_allowed_length", label: "DRY allowed length", min: 0, max: MAX_COUNT, step: 1, neutral: 2, slider: 20, help: "Phrases of up to this many tokens may repeat." },
  { name: "dry_penalty_last_n", label: "DRY last n", min: -1, max: 1_000_000, step: 1, neutral: -1, slider: 512, help: "How many of the last tokens DRY scans. 0 is off, -1 is the whole context." },
  { name: "xtc_probability", label: "XTC probability", min: 0, max: 1, step: 0.01, neutral: 0, help: "How often the most likely tokens are removed, for more creative text. 0 is off." },
  { name: "xtc_threshold", label: "XTC threshold", min: 0, max: 1, step: 0.01, neutral: 0.1, help: "The minimum probability at which XTC may remove a token." },
  { name: "mirostat", label: "Mirostat", min: 0, max: 2, step: 1, neutral: 0, help: "Keeps perplexity near a target: version 1 or 2. 0 is off." },
  { name: "mirostat_tau", label: "Mirostat tau", min: 0, max: 100, step: 0.1, neutral: 5, slider: 10, help: "Mirostat's target entropy; 5 is typical." },
  { name: "mirostat_eta", label: "Mirostat eta", min: 0, max: 100, step: 0.01, neutral: 0.1, slider: 1, help: "Mirostat's learning rate; 0.1 is typical." },
];

/** Texts, one on each line. */
export const TEXT_FIELDS = [
  {
    name: "stop",
    label: "Stop sequences",
    help: "Generation stops at any of these. One on each line; type \\n for a newline.",
    max: 16,
  },
  {
    name: "dry_sequence_breakers",
    label: "DRY sequence breakers",
    help: "Text that ends a phrase for DRY. One on each line; type \\n for a newline.",
    max: 64,
  },
] as const;

/** Set by the page itself, so they cannot be among the additional parameters. */
const RESERVED = new Set([
  ...["messages", "model", "smolchat", "stream", "stream_options", "n", "n_cmpl"],
  ...["logprobs", "top_logprobs", "seed"],
]);
const OFFERED = new Set([...COMMON, ...MORE, ...TEXT_FIELDS].map(({ name }) => name));

export type Parameters = Record<string, unknown>;

/** Return the parameters that have no field of their own. */
export function additional(parameters: Parameters): Parameters {
  return Object.fromEntries(
    Object.entries(parameters).filter(([name]) => !OFFERED.has(name) && !RESERVED.has(name)),
  );
}

/** Return what a person typed as additional parameters, or what is wrong with it. */
export function parseAdditional(text: string): Parameters | string {
  if (text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `Invalid JSON: ${error instanceof Error ? error.message : error}`;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return 'Additional parameters are a JSON object, such as {"min_keep": 1}.';
  }
  const names = Object.keys(value);
  const reserved = names.find((name) => RESERVED.has(name));
  if (reserved !== undefined) return `"${reserved}" is set by the page.`;
  const offered = names.find((name) => OFFERED.has(name));
  if (offered !== undefined) return `"${offered}" has a field of its own above.`;
  return value as Parameters;
}

/** Return a number as typed, or undefined if it is none within the bounds. */
export function parseNumber(text: string, { min, max, step }: Field): number | undefined {
  const value = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(value) || value < min || value > max) return undefined;
  if (step === 1 && !Number.isInteger(value)) return undefined;
  return value;
}

/** A seed may be larger than the whole numbers of JavaScript, which would change it. */
export function parseSeed(text: string): number | undefined {
  const value = Number(text);
  return /^(?:-1|\d{1,16})$/.test(text.trim()) && Number.isSafeInteger(value) ? value : undefined;
}

export function toLines(value: unknown): string {
  const list = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
  return list.map((text) => String(text).replace(/[\\\n\t]/g, escapeCharacter)).join("\n");
}

export function fromLines(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/\\([\\nt])/g, (_, code: string) => CHARACTERS[code] ?? code));
}

const CHARACTERS: Record<string, string> = { "\\": "\\", n: "\n", t: "\t" };

function escapeCharacter(character: string): string {
  return { "\\": "\\\\", "\n": "\\n", "\t": "\\t" }[character] ?? character;
}
