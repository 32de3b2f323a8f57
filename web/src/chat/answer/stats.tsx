/** The main stats of an answer, below it. */
import { lazy, Suspense, useState } from "react";
import type { AnswerModel } from "../thread/rows";
import { statChips } from "./receipt-text";

const StatsDialog = lazy(() => import("./stats-dialog"));

export function StatChips({ answer }: { answer: AnswerModel }) {
  const [isOpen, setOpen] = useState(false);
  const { receipt, state } = answer;
  // An answer without a model has none.
  if (receipt === undefined || receipt.answered_by === "files") return null;
  const chips = statChips(receipt, state);
  return (
    <>
      <button
        type="button"
        onClick={() => setOpen(true)}
        aria-label={`Generation stats: ${chips.map(({ text }) => text).join(", ")}`}
        className="flex flex-wrap gap-x-3 gap-y-0.5 rounded-md text-start font-mono text-muted-foreground text-xs hover:text-foreground touch:min-h-11 touch:items-center"
      >
        {chips.map(({ text, title }) => (
          <span key={title} title={title}>
            {text}
          </span>
        ))}
      </button>
      <Suspense>
        {isOpen ? <StatsDialog answer={answer} onClose={() => setOpen(false)} /> : null}
      </Suspense>
    </>
  );
}
