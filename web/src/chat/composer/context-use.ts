/** How much of the context the next message uses, as far as that is known before it is sent. */
import type { Message, Receipt } from "../types";

export type ContextUse = {
  /** Tokens. */
  used: number;
  size: number | undefined;
  /** False if the model server counted all of them. */
  isEstimated: boolean;
};

/** About as many characters are a token of English text. */
const CHARACTERS_PER_TOKEN = 4;

/** Return what the last answer was told to use, and an estimate of what came after it. */
export function contextUse(
  branch: readonly Message[],
  draft: string,
  window: number | undefined,
): ContextUse {
  const last = branch.findLastIndex(({ receipt }) => typeof tokensOf(receipt) === "number");
  const receipt = (branch[last]?.receipt ?? undefined) as Receipt | undefined;
  const counted = tokensOf(receipt) ?? 0;
  const after = branch.slice(last + 1).reduce((sum, { content }) => sum + content.length, 0);
  const estimated = Math.ceil((after + draft.trim().length) / CHARACTERS_PER_TOKEN);
  return {
    used: counted + estimated,
    size: receipt?.context_size ?? window,
    isEstimated: estimated > 0,
  };
}

function tokensOf(receipt: unknown): number | undefined {
  const tokens = (receipt as Receipt | null | undefined)?.context_tokens;
  return typeof tokens === "number" ? tokens : undefined;
}
