/** How many answers a message gets, and from which models or presets: kept in this browser. */
import { useQuery } from "@tanstack/react-query";
import { useMemo, useSyncExternalStore } from "react";
import { BUILT_IN_PRESETS, type Preset, presetList } from "@/presets/queries";
import type { Variant } from "./answer-request";

const STORAGE_KEY = "smolchat.compare";
export const MAX_ANSWERS = 4;

export type Comparison = {
  /** Answers of the same model. */
  count: number;
  /** Models that answer side by side instead, if there are two or more. */
  models: string[];
  /** Or presets. */
  presets: string[];
};

const NONE: Comparison = { count: 1, models: [], presets: [] };

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

export function useVariants(): Variant[] {
  const comparison = useComparison();
  // Only who compares presets has to know them.
  const { data: presets = BUILT_IN_PRESETS } = useQuery({
    ...presetList,
    enabled: comparison.presets.length > 1,
  });
  return useMemo(() => variantsOf(comparison, presets), [comparison, presets]);
}

/** Return what each of the answers differs in. */
export function variantsOf({ count, models, presets }: Comparison, known: Preset[]): Variant[] {
  if (models.length > 1) return models.map((model) => ({ label: model, model }));
  const chosen = known.filter(({ name }) => presets.includes(name));
  if (chosen.length > 1) return chosen.map(presetVariant);
  return Array.from({ length: count }, () => ({ label: "" }));
}

function presetVariant({ name, parameters: stored }: Preset): Variant {
  const { smolchat, ...parameters } = stored;
  const { system_prompt: system } = (smolchat ?? {}) as { system_prompt?: string | null };
  return { label: name, parameters, ...(system ? { system } : {}) };
}

function read(): Comparison {
  try {
    const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
    const count = Math.min(MAX_ANSWERS, Math.max(1, Math.trunc(Number(stored.count)) || 1));
    return { count, models: names(stored.models), presets: names(stored.presets) };
  } catch {
    return NONE;
  }
}

function names(value: unknown): string[] {
  const list = Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
  return list.slice(0, MAX_ANSWERS);
}
