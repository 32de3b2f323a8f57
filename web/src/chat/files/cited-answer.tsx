/** An answer with what it cites of files: numbers in its text, sources below, passages in a dialog. */
import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";
import type { AnswerModel, AnswersRow } from "../thread/rows";
import { CitationContext } from "./citation-number";
import { citationLabel, FileSources } from "./file-sources";
import { citationQuote, type Quote } from "./passage";

const PassageDialog = lazy(() => import("./passage-dialog"));

type Props = { answer: AnswerModel; row: AnswersRow; children: ReactNode };

export function CitedAnswer({ answer, row, children }: Props) {
  const [quote, setQuote] = useState<Quote>();
  const { citations, retrieval } = answer;
  const context = useMemo(
    () => ({
      labels: citations.map(citationLabel),
      open: (number: number) => {
        const citation = citations[number];
        if (citation !== undefined) setQuote(citationQuote(citation));
      },
    }),
    [citations],
  );
  return (
    <>
      <CitationContext value={context}>{children}</CitationContext>
      {retrieval !== undefined || citations.length > 0 ? (
        <FileSources answer={answer} row={row} onOpen={setQuote} />
      ) : null}
      {quote === undefined ? null : (
        <Suspense fallback={null}>
          <PassageDialog quote={quote} onClose={() => setQuote(undefined)} />
        </Suspense>
      )}
    </>
  );
}
