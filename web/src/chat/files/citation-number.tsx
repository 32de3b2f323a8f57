/** The number of a citation in the text of an answer: it opens the passage. */
import { createContext, useContext } from "react";

type Citations = { labels: readonly string[]; open: (number: number) => void };

export const CitationContext = createContext<Citations | undefined>(undefined);

export function CitationNumber({ number }: { number: number }) {
  const citations = useContext(CitationContext);
  const label = citations?.labels[number];
  if (label === undefined) return null;
  return (
    <button
      type="button"
      aria-label={`Citation ${label}`}
      title={label}
      onClick={() => citations?.open(number)}
      className="rounded-sm px-0.5 font-mono text-ember text-xs hover:bg-muted"
    >
      [{number + 1}]
    </button>
  );
}
