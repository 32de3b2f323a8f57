/** The API's key: asked for when the API wants it, kept for this tab only, never in an address. */
import { useSyncExternalStore } from "react";

const STORAGE_KEY = "smolchat.key";

let isKeyWanted = false;
const listeners = new Set<() => void>();

export function authorization(): Record<string, string> {
  const key = sessionStorage.getItem(STORAGE_KEY);
  return key ? { authorization: `Bearer ${key}` } : {};
}

export function saveKey(key: string): void {
  sessionStorage.setItem(STORAGE_KEY, key);
  setKeyWanted(false);
}

/** Ask the person for the key: the API refused the one that it was sent, or wants one. */
export function requestKey(): void {
  setKeyWanted(true);
}

export function hasKey(): boolean {
  return sessionStorage.getItem(STORAGE_KEY) !== null;
}

export function useIsKeyWanted(): boolean {
  return useSyncExternalStore(subscribe, () => isKeyWanted);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function setKeyWanted(value: boolean): void {
  isKeyWanted = value;
  for (const listener of listeners) listener();
}
