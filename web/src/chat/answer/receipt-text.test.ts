import { describe, expect, it } from "vitest";
import { contextLabel, statChips } from "./receipt-text";
import { statRows, waitParts } from "./stat-rows";

const RECEIPT = {
  model: "ai/smollm2:latest",
  finish_reason: "length",
  prompt_tokens: 32,
  cached_tokens: 30,
  completion_tokens: 6,
  queue_ms: 100,
  load_ms: null,
  prompt_ms: 600,
  first_token_ms: 750,
  total_ms: 1000,
  completion_tokens_per_second: 18.27,
  speed_source: "smolchat" as const,
  context_tokens: 38,
  context_size: 8192,
};

describe("stats", () => {
  it("shows the main ones, and marks what SmolChat measured", () => {
    expect(statChips(RECEIPT, "finished").map(({ text }) => text)).toEqual([
      "smollm2:latest",
      "token limit reached",
      "≈18.3 tokens/s",
      "first token 0.75 s",
      "32 prompt · 6 completion tokens",
      "context <1%",
    ]);
  });

  it("leaves out what was not measured", () => {
    expect(statChips({ model: "m", total_ms: 1 }, "stopped").map(({ text }) => text)).toEqual([
      "m",
      "stopped",
    ]);
    const rows = Object.fromEntries(statRows({}, "failed"));
    expect(rows["Total time"]).toBe("n/a");
    expect(rows["Finish reason"]).toBe("failed before finishing");
    expect(contextLabel({ context_tokens: 5 })).toBe("5 tokens (context size unknown)");
  });

  it("splits the wait into parts that add up to the total", () => {
    const parts = waitParts(RECEIPT);
    expect(parts.map(({ name }) => name)).toEqual([
      "Queue",
      "Prompt processing",
      "First token",
      "Writing",
    ]);
    expect(parts.reduce((sum, { ms }) => sum + ms, 0)).toBe(RECEIPT.total_ms);
    expect(waitParts({})).toEqual([]);
  });
});
