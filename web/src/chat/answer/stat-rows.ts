/** All stats of an answer as rows, and what its time was spent on. */
import type { Receipt } from "../types";
import type { LiveState } from "./live-answer";
import {
  contextLabel,
  duration,
  FINISH_LABELS,
  isNumber,
  NOT_MEASURED,
  tokens,
} from "./receipt-text";

const DIGEST_CHARACTERS = "sha256:".length + 12;

/** Return all stats as names and values. */
export function statRows(receipt: Receipt, state: LiveState): [string, string][] {
  const { prompt_tokens: prompt, cached_tokens: cached } = receipt;
  const processed = isNumber(prompt) && isNumber(cached) ? Math.max(0, prompt - cached) : undefined;
  return [
    ["Model", receipt.model || NOT_MEASURED],
    ["Digest", receipt.model_digest?.slice(0, DIGEST_CHARACTERS) || NOT_MEASURED],
    ["Queue time", duration(receipt.queue_ms)],
    ["Load time", duration(receipt.load_ms)],
    ["Prompt processing", duration(receipt.prompt_ms)],
    ["Time to first token", duration(receipt.first_token_ms)],
    ["Total time", duration(receipt.total_ms)],
    ["Prompt", tokens(prompt)],
    ["Cached", tokens(cached)],
    ["Processed", withSpeed(processed, receipt.prompt_tokens_per_second)],
    ["Completion", completion(receipt)],
    ["Speed measured by", speedSource(receipt)],
    ["Context", contextLabel(receipt)],
    ["Finish reason", finishLabel(receipt, state)],
    ["Seed", isNumber(receipt.seed) ? String(receipt.seed) : NOT_MEASURED],
  ];
}

export type WaitPart = { name: string; ms: number };

/** Return what the time of an answer was spent on, in order; parts that were not measured are 0. */
export function waitParts(receipt: Receipt): WaitPart[] {
  const first = receipt.first_token_ms ?? 0;
  const queue = receipt.queue_ms ?? 0;
  const load = receipt.load_ms ?? 0;
  const prompt = Math.min(receipt.prompt_ms ?? 0, Math.max(0, first - queue - load));
  const rest = Math.max(0, first - queue - load - prompt);
  const writing = Math.max(0, (receipt.total_ms ?? 0) - first);
  return [
    { name: "Queue", ms: queue },
    { name: "Load", ms: load },
    { name: "Prompt processing", ms: prompt },
    { name: "First token", ms: rest },
    { name: "Writing", ms: writing },
  ].filter(({ ms }) => ms >= 1);
}

function finishLabel({ finish_reason: reason }: Receipt, state: LiveState): string {
  if (reason) return FINISH_LABELS[reason] ? `${reason} (${FINISH_LABELS[reason]})` : reason;
  const isEarly = state === "stopped" || state === "interrupted" || state === "failed";
  return isEarly ? `${state} before finishing` : NOT_MEASURED;
}

function completion(receipt: Receipt): string {
  const { completion_tokens: written, text_chunks: chunks } = receipt;
  const speed = receipt.completion_tokens_per_second;
  if (!isNumber(written) && isNumber(chunks)) {
    return `≈${withSpeed(chunks, speed)}, by the chunks received`;
  }
  return withSpeed(written, speed);
}

function speedSource(receipt: Receipt): string {
  if (!isNumber(receipt.completion_tokens_per_second)) return NOT_MEASURED;
  const isOurs = receipt.speed_source === "smolchat";
  return isOurs ? "SmolChat, from the first chunk to the last" : "the model server";
}

function withSpeed(value: number | null | undefined, speed: number | null | undefined): string {
  return tokens(value) + (isNumber(speed) ? ` at ${speed.toFixed(1)} tokens/s` : "");
}
