/** What of the files an answer is given from: what was read, what it cites, and what can be next. */
import { FileText, ScanText } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Button } from "@/components/button";
import { useChat } from "../chat-context";
import type { AnswerModel, AnswersRow } from "../thread/rows";
import type { Citation, Retrieval } from "../types";
import { useSession } from "../use-session";
import { coverage, isTask, reliability, taskLabel } from "./file-words";
import { citationQuote, nearestQuote, type Quote } from "./passage";

/** The others are folded. */
const MAX_SHOWN = 8;

type Props = { answer: AnswerModel; row: AnswersRow; onOpen: (quote: Quote) => void };

export function FileSources({ answer, row, onOpen }: Props) {
  const { retrieval, citations } = answer;
  return (
    <div className="mt-3 flex flex-col gap-2 text-sm">
      <CitationList citations={citations} onOpen={onOpen} />
      {retrieval === undefined ? null : (
        <>
          <Note>{coverage(retrieval)}</Note>
          <Note isWarning>{reliability(retrieval)}</Note>
          <Note isWarning>{unreadText(retrieval)}</Note>
          <NextSteps answer={answer} row={row} retrieval={retrieval} onOpen={onOpen} />
        </>
      )}
    </div>
  );
}

export function citationLabel(citation: Citation, number: number): string {
  const { filename, page, match, deleted } = citation;
  const parts = [
    `${number + 1}. ${filename}`,
    page ? `page ${page}` : "",
    match === "similar_passage" ? "similar passage" : "",
    deleted ? "deleted" : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

function CitationList({
  citations,
  onOpen,
}: {
  citations: Citation[];
  onOpen: (quote: Quote) => void;
}) {
  const [isAll, setAll] = useState(false);
  const shown = isAll ? citations : citations.slice(0, MAX_SHOWN);
  if (citations.length === 0) return null;
  return (
    <ol aria-label="Sources" className="flex flex-wrap gap-1.5">
      {shown.map((citation, number) => (
        <li key={`${citation.file_id} ${citation.index} ${citation.start}`} className="max-w-full">
          <button
            type="button"
            onClick={() => onOpen(citationQuote(citation))}
            title={citationLabel(citation, number)}
            className="flex max-w-72 items-center gap-1.5 rounded-full border px-2.5 py-0.5 hover:bg-muted touch:min-h-11"
          >
            <span className="font-mono text-ember text-xs">{number + 1}</span>
            <FileText aria-hidden className="size-3.5 shrink-0" />
            <bdi className="truncate">{citation.filename}</bdi>
            <span className="shrink-0 text-muted-foreground">
              {[
                citation.page ? `p. ${citation.page}` : "",
                citation.match === "similar_passage" ? "similar" : "",
                citation.deleted ? "deleted" : "",
              ]
                .filter(Boolean)
                .join(" · ")}
            </span>
          </button>
        </li>
      ))}
      {isAll || citations.length <= MAX_SHOWN ? null : (
        <li>
          <Button size="sm" variant="ghost" onClick={() => setAll(true)}>
            All {citations.length} citations
          </Button>
        </li>
      )}
    </ol>
  );
}

function Note({ children, isWarning = false }: { children: string; isWarning?: boolean }) {
  if (children === "") return null;
  return (
    <p
      className={
        isWarning ? "[overflow-wrap:anywhere]" : "text-muted-foreground [overflow-wrap:anywhere]"
      }
    >
      {children}
    </p>
  );
}

function NextSteps(props: Props & { retrieval: Retrieval }): ReactNode {
  const { answer, row, retrieval, onOpen } = props;
  const { session } = useChat();
  const isAnswering = useSession(session, () => session.isAnswering);
  const { nearest, suggested_task: suggested } = retrieval;
  const { questionId } = row;
  const again = (options: Record<string, unknown>) => {
    if (questionId === undefined) return;
    const files = session.context?.settings.files;
    const isEmpty = !files?.file_ids.length && !files?.vector_store_ids.length;
    const ids = [...new Set(retrieval.passages?.map(({ file_id }) => file_id))];
    session.regenerate(questionId, { ...options, ...(isEmpty ? { file_ids: ids } : {}) });
  };
  const canAsk = answer.item !== undefined && questionId !== undefined;
  const canModel = retrieval.found && retrieval.strategy === "quotes";
  const canTask = suggested && isTask(suggested.task) && !retrieval.task;
  if (!nearest && !(canAsk && (canModel || canTask))) return null;
  return (
    <div className="flex flex-wrap gap-1.5">
      {nearest ? (
        <Button size="sm" onClick={() => onOpen(nearestQuote(nearest))}>
          <FileText aria-hidden /> Nearest passage
        </Button>
      ) : null}
      {canAsk && canTask && isTask(suggested.task) ? (
        <Button size="sm" disabled={isAnswering} onClick={() => again(present(suggested))}>
          <ScanText aria-hidden />
          <span className="max-w-64 truncate" dir="auto">
            {taskLabel(suggested.task, suggested.phrase, suggested.n)}
          </span>
        </Button>
      ) : null}
      {canAsk && canModel ? (
        <Button
          size="sm"
          disabled={isAnswering}
          title="The model answers from these passages. What it writes is not verified."
          onClick={() => again({ mode: "passages" })}
        >
          Let the model answer
        </Button>
      ) : null}
    </div>
  );
}

/** The API takes no nulls in a task. */
function present(task: NonNullable<Retrieval["suggested_task"]>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(task).filter(([, value]) => value !== null));
}

function unreadText({ unread }: Retrieval): string {
  if (!unread?.length) return "";
  const names = unread.map(
    ({ filename, status }) => `${filename} (${status === "failed" ? "failed" : "being read"})`,
  );
  return `Not searched: ${names.join(", ")}`;
}
