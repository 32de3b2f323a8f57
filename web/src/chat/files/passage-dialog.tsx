/** A passage that an answer cites: the quote is marked in its surroundings, with its page. */
import { useQuery } from "@tanstack/react-query";
import { Fragment, useState } from "react";
import { ApiError } from "@/api/errors";
import { Button } from "@/components/button";
import { Callout, ErrorCallout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { Spinner } from "@/components/spinner";
import { TextDialog } from "@/files/text-dialog";
import { placeOf } from "./file-words";
import { type Excerpt, excerpts, type Quote, surroundings } from "./passage";

type Props = { quote: Quote; onClose: () => void };

export default function PassageDialog({ quote, onClose }: Props) {
  const [isAll, setAll] = useState(false);
  const passages = useQuery({ ...surroundings(quote), enabled: !quote.isDeleted });
  const isDeleted = quote.isDeleted || isNotFound(passages.error);
  const { file_id, filename, start, end } = quote;
  if (isAll) return <TextDialog file={{ id: file_id, filename }} onClose={onClose} />;
  return (
    <Dialog title={filename} onClose={onClose} className="w-[min(48rem,calc(100vw-2rem))]!">
      <p className="mb-3 text-muted-foreground text-sm empty:hidden" dir="auto">
        {placeOf(quote)}
      </p>
      <p className="mb-3 text-sm empty:hidden">{quote.note}</p>
      {isDeleted ? <DeletedText text={quote.text} /> : null}
      {passages.isError && !isDeleted ? (
        <ErrorCallout error={passages.error} onRetry={() => void passages.refetch()} />
      ) : null}
      {passages.isPending && !isDeleted ? <Spinner label="Loading the passage" /> : null}
      {passages.data === undefined || isDeleted ? null : (
        <>
          <Surroundings parts={excerpts(passages.data, quote)} />
          <div className="mt-4 flex flex-wrap items-center gap-x-4 gap-y-2 text-muted-foreground text-sm">
            <span>
              Characters {start.toLocaleString("en")} to {end.toLocaleString("en")} of the text as
              it was read
            </span>
            <Button size="sm" className="text-foreground" onClick={() => setAll(true)}>
              View all of the text
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}

function Surroundings({ parts }: { parts: Excerpt[] }) {
  const first = parts.find(({ marked }) => marked !== "");
  return (
    <div className="flex flex-col gap-2">
      {parts.map((part, index) => (
        <Fragment key={part.start}>
          {part.page !== null && part.page !== parts[index - 1]?.page ? (
            <h3 className="mt-2 border-b pb-1 font-sans text-muted-foreground text-sm first:mt-0">
              Page {part.page}
            </h3>
          ) : null}
          <p dir="auto" className="whitespace-pre-wrap [overflow-wrap:anywhere]">
            {part.before}
            {part.marked === "" ? null : (
              <mark
                ref={part === first ? showInMiddle : undefined}
                className="rounded-xs bg-warning text-warning-foreground"
              >
                {part.marked}
              </mark>
            )}
            {part.after}
          </p>
        </Fragment>
      ))}
    </div>
  );
}

function DeletedText({ text }: { text: string }) {
  return (
    <>
      <Callout kind="warning" className="mb-3">
        The file has been deleted. This is what was quoted from it.
      </Callout>
      <blockquote
        dir="auto"
        className="whitespace-pre-wrap border-s-2 ps-3 [overflow-wrap:anywhere]"
      >
        {text}
      </blockquote>
    </>
  );
}

function showInMiddle(mark: HTMLElement | null): void {
  mark?.scrollIntoView({ block: "center" });
}

function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === "file_not_found";
}
