/** The benchmark of the methods: what each sends, and how its outputs are scored. */
import {
  fieldsOption,
  type Inputs,
  responseFormat,
  type StructuredReply,
  targetFields,
} from "./request";

export const METHODS = ["free text", "json_object", "json_schema", "SmolChat"] as const;
export type Method = (typeof METHODS)[number];

/** Unless it is set: a model that does not stop would take minutes. */
export const MAX_TOKENS = 256;
const MAX_SEED = 2 ** 31 - 1;
const Z = 1.959964; // of 95% confidence

export type Outcome = "valid" | "invalid" | "truncated" | "refused" | "failed";

export type Trial = {
  method: Method;
  number: number;
  outcome: Outcome;
  seconds: number;
  finish_reason: string | null;
  attempts: number;
  completion_tokens: number | null;
  text: string;
  fault: string;
};

export type Score = {
  method: Method;
  trials: number;
  valid: number;
  truncated: number;
  low: number;
  high: number;
  medianSeconds: number | undefined;
  fault: string;
};

/** Return the path and body of a trial. A fixed seed increases with each. */
export function trialRequest(inputs: Inputs, method: Method, number: number) {
  const { prompt, model, parameters } = inputs;
  const body: Record<string, unknown> = {
    messages: [{ role: "user", content: prompt.trim() }],
    ...(model === null ? {} : { model }),
    max_tokens: MAX_TOKENS,
    ...parameters,
  };
  if (typeof body.seed === "number" && body.seed >= 0) {
    body.seed = (body.seed + number - 1) % (MAX_SEED + 1);
  }
  const path = method === "SmolChat" ? "/structured" : "/chat";
  return { path, body: { ...body, ...methodFields(inputs, method) } };
}

function methodFields(inputs: Inputs, method: Method): Record<string, unknown> {
  const { target, prompt, requiresMentioned } = inputs;
  if (method === "SmolChat") {
    return { ...targetFields(target), smolchat: fieldsOption(requiresMentioned) };
  }
  if (method === "json_schema") return { response_format: responseFormat(target) };
  const schema = JSON.stringify(target.schema, null, 2);
  const instruction = `Answer only with JSON that fits this JSON Schema:\n${schema}`;
  const messages = [{ role: "user", content: `${prompt.trim()}\n\n${instruction}` }];
  const format = method === "json_object" ? { response_format: { type: "json_object" } } : {};
  return { messages, ...format };
}

export type Output = Pick<Trial, "text" | "finish_reason" | "attempts" | "completion_tokens">;

export function structuredOutput({ answers, usage }: StructuredReply): Output {
  const [answer] = answers;
  return {
    text: JSON.stringify(answer?.parsed, null, 2) ?? "",
    finish_reason: answer?.finish_reason ?? null,
    attempts: answer?.attempts.length ?? 1,
    completion_tokens: usage.completion_tokens,
  };
}

type ChatReply = {
  choices?: { message?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: { completion_tokens?: number } | null;
};

export function chatOutput({ choices, usage }: ChatReply): Output {
  const choice = choices?.[0];
  return {
    text: choice?.message?.content ?? "",
    finish_reason: choice?.finish_reason ?? null,
    attempts: 1,
    completion_tokens: usage?.completion_tokens ?? null,
  };
}

/** Return the scores of the methods that have trials, in their order. */
export function scores(trials: readonly Trial[]): Score[] {
  return METHODS.map((method) => trials.filter((trial) => trial.method === method))
    .filter((ofMethod) => ofMethod.length > 0)
    .map(scoreOf);
}

function scoreOf(trials: Trial[]): Score {
  const valid = trials.filter(({ outcome }) => outcome === "valid");
  const faults = trials.filter(({ outcome }) => outcome !== "valid").map(({ fault }) => fault);
  return {
    method: trials[0]?.method ?? "SmolChat",
    trials: trials.length,
    valid: valid.length,
    truncated: trials.filter(({ outcome }) => outcome === "truncated").length,
    ...wilsonInterval(valid.length, trials.length),
    medianSeconds: median(valid.map(({ seconds }) => seconds)),
    fault: mostFrequent(faults),
  };
}

/** Return the interval that contains the true share with 95% confidence. */
export function wilsonInterval(successes: number, trials: number): { low: number; high: number } {
  if (trials === 0) return { low: 0, high: 1 };
  const share = successes / trials;
  const scale = 1 + Z ** 2 / trials;
  const center = (share + Z ** 2 / (2 * trials)) / scale;
  const spread = Z * Math.sqrt((share * (1 - share)) / trials + (Z / (2 * trials)) ** 2);
  const [low, high] = [center - spread / scale, center + spread / scale];
  return { low: Math.max(0, low), high: Math.min(1, high) };
}

export function median(values: number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [
    sorted[Math.floor((sorted.length - 1) / 2)],
    sorted[Math.floor(sorted.length / 2)],
  ];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

function mostFrequent(texts: string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}

/** Export everything: the first request of each method, the scores, each trial with its output. */
export function toJson(inputs: Inputs, methods: readonly Method[], trials: Trial[]): string {
  const requests = Object.fromEntries(
    methods.map((method) => [method, trialRequest(inputs, method, 1)]),
  );
  return JSON.stringify({ requests, scores: scores(trials), trials }, null, 2);
}

const COLUMNS = [
  "method",
  "number",
  "outcome",
  "seconds",
  "finish_reason",
  "attempts",
  "completion_tokens",
] as const;

/** Export the trials without their outputs, which a spreadsheet could run as formulas. */
export function toCsv(trials: Trial[]): string {
  const rows = trials.map((trial) =>
    COLUMNS.map((name) => (name === "seconds" ? trial.seconds.toFixed(3) : (trial[name] ?? ""))),
  );
  return [COLUMNS, ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}
