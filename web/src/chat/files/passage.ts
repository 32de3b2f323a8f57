/** A passage of a file in its surroundings. */
import { queryOptions } from "@tanstack/react-query";
import { call, type Reply } from "@/api/client";
import type { Citation, Passage } from "../types";

type FilePassage = Reply<"FilePassage">;

/** A part of a file's text, `start:end` in code points, as an answer has it. */
export type Quote = Pick<
  Citation,
  "file_id" | "filename" | "start" | "end" | "page" | "heading"
> & {
  text: string;
  isDeleted: boolean;
  note: string;
};

/** A part of a passage that is shown: what is quoted of it is `marked`. */
export type Excerpt = {
  start: number;
  page: number | null;
  before: string;
  marked: string;
  after: string;
};

const CONTEXT_CHARACTERS = 500;
const MAX_PASSAGES = 40;

export function citationQuote(citation: Citation): Quote {
  const { quote, deleted, match } = citation;
  const note = match === "similar_passage" ? "A similar passage, which is no proof." : "";
  return { ...citation, text: quote, isDeleted: deleted ?? false, note };
}

export function nearestQuote(passage: Passage): Quote {
  const note = "The nearest passage. It may not answer the question.";
  return { ...passage, text: passage.text ?? "", isDeleted: false, note };
}

export function surroundings({ file_id, start, end }: Quote) {
  const first = Math.max(start - CONTEXT_CHARACTERS, 0);
  return queryOptions({
    queryKey: ["passage", file_id, start, end],
    queryFn: async ({ signal }) => {
      const query = { start: first, limit: MAX_PASSAGES };
      const path = { file_id };
      return (await call("get", "/files/{file_id}/passages", { path, query, signal })).data;
    },
    staleTime: 60_000,
  });
}

/** Cut passages to what is around a quote, and mark it. */
export function excerpts(
  passages: readonly FilePassage[],
  { start, end }: Pick<Quote, "start" | "end">,
): Excerpt[] {
  const first = Math.max(start - CONTEXT_CHARACTERS, 0);
  const last = end + CONTEXT_CHARACTERS;
  return passages
    .filter((passage) => passage.start < last && passage.end > first)
    .map((passage) => {
      const points = [...passage.text];
      const part = (from: number, to: number) =>
        points.slice(Math.max(from - passage.start, 0), Math.max(to - passage.start, 0)).join("");
      const before = part(first, start);
      const isCut = passage.start < first;
      return {
        start: passage.start,
        page: passage.page,
        before: isCut ? wholeWords(before) : before,
        marked: part(start, end),
        after: part(Math.max(end, first), last),
      };
    });
}

function wholeWords(text: string): string {
  return text.slice(text.indexOf(" ") + 1);
}
