/** How many answers a message gets, and from which models or presets: kept in this browser. */
import { useSyncExternalStore } from "react";
import type { Variant } from "./answer-request";

const STORAGE_KEY = "smolchat.compare";
export const MAX_ANSWERS = 4;

export type Comparison = {
  /** Answers of the same model. */
  count: number;
  /** Models that answer side by side instead; empty for none. */
  models: string[];
};

const NONE: Comparison = { count: 1, models: [] };

let current = read();
const listeners = new Set<() => void>();

export function useComparison(): Comparison {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

export function setComparison(changes: Partial<Comparison>): void {
  current = { ...current, ...changes };
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(current));
  } catch {
    // Without storage it lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

/** Return what each of the answers differs in. */
export function variantsOf({ count, models }: Comparison): Variant[] {
  if (models.length > 1) return models.map((model) => ({ label: model, model }));
  return Array.from({ length: count }, () => ({ label: "" }));
}

function read(): Comparison {
  try {
    const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
    const count = Math.min(MAX_ANSWERS, Math.max(1, Math.trunc(Number(stored.count)) || 1));
    const models = Array.isArray(stored.models) ? stored.models.filter(isText) : [];
    return { count, models: models.slice(0, MAX_ANSWERS) };
  } catch {
    return NONE;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
