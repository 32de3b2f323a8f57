/** How fast recent answers were, as numbers for charts and a table. */
import type { Status } from "./queries";

export type Speed = {
  model: string;
  endedAt: string;
  tokens: number | null;
  tokensPerSecond: number | null;
  firstTokenSeconds: number | null;
};

/** Imported receipts may hold any number. */
const MAX_PLAUSIBLE = 1_000_000;

/** Return the speed of each answer, oldest first; null for what was not measured. */
export function speeds(recent: NonNullable<Status["recent"]>): Speed[] {
  return recent
    .map(({ model, ended_at, receipt }) => {
      const tokens = receipt?.completion_tokens ?? null;
      const firstMs = measured(receipt?.first_token_ms);
      return {
        model: model ?? receipt?.model ?? "unknown",
        endedAt: ended_at,
        tokens: tokens !== null && tokens >= 0 && tokens < MAX_PLAUSIBLE ? tokens : null,
        tokensPerSecond: measured(receipt?.completion_tokens_per_second),
        firstTokenSeconds: firstMs === null ? null : firstMs / 1000,
      };
    })
    .reverse();
}

/** Return the median of the values that were measured. */
export function median(values: readonly (number | null)[]): number | null {
  const sorted = values.filter((value) => value !== null).sort((one, other) => one - other);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? null : (lower + upper) / 2;
}

function measured(value: number | null | undefined): number | null {
  return value !== null && value !== undefined && value > 0 && value < MAX_PLAUSIBLE ? value : null;
}
