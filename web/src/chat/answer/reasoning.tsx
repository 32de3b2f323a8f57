/** What the model reasoned before it answered: folded, with how long it took. */
import { Brain, ChevronRight } from "lucide-react";
import { useState } from "react";
import type { Round } from "../types";
import { Markdown } from "./markdown";

type Props = { round: Round; isWriting: boolean };

export function Reasoning({ round, isWriting }: Props) {
  const [isOpen, setOpen] = useState(false);
  const isReasoning = isWriting && round.text.trim() === "";
  return (
    <details
      open={isOpen}
      onToggle={(event) => setOpen(event.currentTarget.open)}
      className="group mb-3 rounded-md border px-3 py-2 text-muted-foreground"
    >
      <summary className="flex items-center gap-2 touch:min-h-11 [&::-webkit-details-marker]:hidden">
        <Brain aria-hidden className={isReasoning ? "size-4 animate-pulse" : "size-4"} />
        {label(round, isReasoning)}
        <ChevronRight aria-hidden className="size-4 transition-transform group-open:rotate-90" />
      </summary>
      {isOpen ? (
        <div className="mt-2 text-sm">
          <Markdown text={round.reasoning} isGrowing={isReasoning} />
        </div>
      ) : null}
    </details>
  );
}

function label({ reasoningMs }: Round, isReasoning: boolean): string {
  if (isReasoning) return "Reasoning…";
  return reasoningMs === undefined
    ? "Reasoning"
    : `Reasoned for ${(reasoningMs / 1000).toFixed(1)} s`;
}
