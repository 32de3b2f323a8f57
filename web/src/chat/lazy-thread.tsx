/**
 * The messages of a chat with Markdown and all that belongs to them: a third of the page's code. An
 * empty chat is ready before it is there; it is loaded once somebody does something with the page,
 * or when there is nothing else to do.
 */
import { type ComponentType, useEffect, useState } from "react";
import type { Conversation } from "./types";

type Props = { chat: Conversation };

/** By then what the page has asked for first is there. */
const PRELOAD_MS = 4_000;

let Loaded: ComponentType<Props> | undefined;

const load = () =>
  import("./thread/thread").then((thread) => {
    Loaded = thread.default;
  });

// If it fails now, it is loaded where it is needed.
const preload = () => void load().catch(() => undefined);

if (location.pathname.startsWith("/c/")) preload();
else {
  setTimeout(preload, PRELOAD_MS);
  for (const event of ["keydown", "pointermove", "pointerdown"]) {
    addEventListener(event, preload, { once: true, passive: true });
  }
}

/** Not `lazy`: React keeps the fallback of a Suspense in view for at least 300 ms. */
export function Thread({ chat }: Props) {
  const [, setLoaded] = useState(Loaded !== undefined);
  const [failure, setFailure] = useState<unknown>();
  useEffect(() => {
    if (Loaded === undefined) load().then(() => setLoaded(true), setFailure);
  }, []);
  if (failure !== undefined) throw failure;
  return Loaded === undefined ? <div className="min-h-0 flex-1" /> : <Loaded chat={chat} />;
}
