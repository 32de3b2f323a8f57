/** Tells screen readers when an answer begins, and reads it when it is complete. */
import { useEffect, useRef, useState } from "react";
import type { Snapshot } from "./session";

const MAX_CHARACTERS = 1500;

export function LiveRegion({ turn }: Pick<Snapshot, "turn">) {
  const [text, setText] = useState("");
  const last = useRef<string>(undefined);
  const isWriting = turn !== undefined;
  const answer = turn?.entries[0]?.answer;
  const written = answer?.rounds.at(-1)?.text;
  if (written !== undefined) last.current = answer?.error?.message ?? written;
  useEffect(() => {
    if (isWriting) setText("Writing a response…");
    else if (last.current !== undefined) {
      setText(last.current.slice(0, MAX_CHARACTERS));
      last.current = undefined;
    }
  }, [isWriting]);
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {text}
    </div>
  );
}
