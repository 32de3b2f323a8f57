/** Tells screen readers when an answer begins, and reads it when it is complete. */
import { useEffect, useRef, useState } from "react";
import type { ChatSession } from "./session";
import { useSession } from "./use-session";

const MAX_CHARACTERS = 1500;

export function LiveRegion({ session }: { session: ChatSession }) {
  const [text, setText] = useState("");
  const isWriting = useSession(session, () => session.isAnswering);
  const hasWritten = useRef(false);
  useEffect(() => {
    if (isWriting) {
      hasWritten.current = true;
      setText("Writing a response…");
    } else if (hasWritten.current) {
      hasWritten.current = false;
      setText(session.lastText.slice(0, MAX_CHARACTERS));
    }
  }, [isWriting, session]);
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {text}
    </div>
  );
}
