/** The stats of an answer as text. What SmolChat measured or counted itself is marked with ≈. */

import type { Receipt } from "../types";
import type { LiveState } from "./live-answer";

export const NOT_MEASURED = "n/a";
export const FINISH_LABELS: Record<string, string> = {
  length: "token limit reached",
  tool_calls: "tool call",
  content_filter: "filtered by the model server",
};

export type Chip = { text: string; title: string };

/** Return the main stats, each with what it is. */
export function statChips(receipt: Receipt, state: LiveState): Chip[] {
  const chips: Chip[] = [];
  const add = (text: string | undefined, title: string) => {
    if (text) chips.push({ text, title });
  };
  add(shortModel(receipt.model), `Model: ${receipt.model}`);
  add(endLabel(receipt, state), "How the answer ended");
  const speed = receipt.completion_tokens_per_second;
  const about = receipt.speed_source === "smolchat" ? "≈" : "";
  if (isNumber(speed)) {
    add(`${about}${speed.toFixed(1)} tokens/s`, about ? "Speed, measured by SmolChat" : "Speed");
  }
  if (isNumber(receipt.first_token_ms)) {
    add(`first token ${(receipt.first_token_ms / 1000).toFixed(2)} s`, "Time to first token");
  }
  add(tokenCounts(receipt), "Tokens of the prompt and of the answer");
  const share = contextShare(receipt);
  if (share !== undefined) add(`context ${percent(share)}`, contextLabel(receipt));
  return chips;
}

export function contextShare(receipt: Receipt | undefined): number | undefined {
  const { context_tokens: used, context_size: size } = receipt ?? {};
  return isNumber(used) && isNumber(size) && size > 0 ? Math.min(1, used / size) : undefined;
}

export function contextLabel({ context_tokens: used, context_size: size }: Receipt): string {
  if (!isNumber(used)) return NOT_MEASURED;
  if (!isNumber(size)) return `${count(used)} tokens (context size unknown)`;
  return `${count(used)} of ${count(size)} tokens (${percent(used / size)})`;
}

export function duration(ms: number | null | undefined): string {
  if (!isNumber(ms)) return NOT_MEASURED;
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export function shortModel(model: string | null | undefined): string {
  return model?.split("/").at(-1) ?? "";
}

function endLabel({ finish_reason: reason }: Receipt, state: LiveState): string {
  if (state === "stopped" || state === "interrupted" || state === "failed") return state;
  if (!reason || reason === "stop") return "";
  return FINISH_LABELS[reason] ?? `finish reason ${reason}`;
}

function tokenCounts(receipt: Receipt): string {
  const { prompt_tokens: prompt, completion_tokens: completed, text_chunks: chunks } = receipt;
  const written = completed ?? chunks;
  if (!isNumber(written)) return isNumber(prompt) ? `${tokens(prompt)} prompt` : "";
  const about = isNumber(completed) ? "" : "≈";
  const before = isNumber(prompt) ? `${count(prompt)} prompt · ` : "";
  return `${before}${about}${count(written)} completion token${written === 1 ? "" : "s"}`;
}

export function tokens(value: number | null | undefined): string {
  if (!isNumber(value)) return NOT_MEASURED;
  return value === 1 ? "1 token" : `${count(value)} tokens`;
}

function percent(share: number): string {
  return share < 0.01 ? "<1%" : `${Math.round(share * 100)}%`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}

export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
