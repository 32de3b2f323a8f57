import { useSyncExternalStore } from "react";
import type { ChatSession, Snapshot } from "./session";

/** Return a part of what a chat is doing; renders again only when that part changes. */
export function useSession<T>(session: ChatSession, select: (snapshot: Snapshot) => T): T {
  return useSyncExternalStore(session.subscribe, () => select(session.snapshot()));
}
