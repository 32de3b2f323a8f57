/** What of the files an answer is given from: what was read, and the passages that it cites. */
import { FileText } from "lucide-react";
import { useState } from "react";
import { Dialog } from "@/components/dialog";
import type { AnswerModel } from "../thread/rows";
import type { Citation, Passage, Retrieval } from "../types";

type Source = Pick<Passage, "filename" | "page" | "heading" | "text"> & { note: string };

export function FileSources({ answer }: { answer: AnswerModel }) {
  const [open, setOpen] = useState<Source>();
  const { retrieval, citations } = answer;
  return (
    <div className="mt-3 flex flex-col gap-2 text-sm">
      {retrieval === undefined ? null : (
        <p className="text-muted-foreground">{coverage(retrieval)}</p>
      )}
      <ol className="flex flex-wrap gap-1.5" aria-label="Sources">
        {citations.map((citation, index) => (
          <li key={`${citation.file_id} ${citation.index} ${citation.start}`}>
            <button
              type="button"
              onClick={() => setOpen(fromCitation(citation))}
              className="flex max-w-64 items-center gap-1.5 rounded-full border px-2.5 py-0.5 hover:bg-muted touch:min-h-11"
            >
              <span className="font-mono text-ember text-xs">{index + 1}</span>
              <FileText aria-hidden className="size-3.5 shrink-0" />
              <span className="truncate">{placeOf(citation)}</span>
            </button>
          </li>
        ))}
      </ol>
      {retrieval?.unread?.map(({ filename, status }) => (
        <p key={filename} className="text-warning-foreground">
          Not read: {filename} ({status === "failed" ? "it could not be read" : "still being read"})
        </p>
      ))}
      {open === undefined ? null : (
        <Dialog title={open.filename} onClose={() => setOpen(undefined)}>
          <p className="mb-3 text-muted-foreground text-sm">{open.note}</p>
          <blockquote
            dir="auto"
            className="whitespace-pre-wrap border-s-2 ps-3 [overflow-wrap:anywhere]"
          >
            {open.text}
          </blockquote>
        </Dialog>
      )}
    </div>
  );
}

function fromCitation(citation: Citation): Source {
  const { filename, page, heading, quote, match, deleted } = citation;
  const isSimilar = match === "similar_passage";
  const note = [
    placeOf(citation),
    isSimilar ? "A similar passage: no proof of the sentence." : "The file's own words.",
    deleted ? "The file was deleted." : "",
  ];
  return { filename, page, heading, text: quote, note: note.filter(Boolean).join(" ") };
}

function placeOf({
  filename,
  page,
  heading,
}: Pick<Citation, "filename" | "page" | "heading">): string {
  return [filename, page ? `page ${page}` : heading].filter(Boolean).join(", ");
}

function coverage({ found, read, of, strategy, supported, sentences }: Retrieval): string {
  if (found === false) return "The files do not say. No model was asked.";
  const parts = [
    read !== undefined && of !== undefined ? `Read ${read} of ${of} passages` : "",
    strategy === "quotes" ? "quotes, without a model" : "",
    sentences ? `${supported ?? 0} of ${sentences} sentences resemble a passage` : "",
  ];
  return parts.filter(Boolean).join(" · ");
}
