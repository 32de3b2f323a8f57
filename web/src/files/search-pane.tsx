/** Search on its own: the passages that fit a question best, without any model. */
import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { FIELD, Input } from "@/components/input";
import { Spinner } from "@/components/spinner";
import { markWords } from "./marked-words";
import { collectionList, type Found, searchResults } from "./queries";

export function SearchPane() {
  const id = useId();
  const [text, setText] = useState("");
  const [query, setQuery] = useState("");
  const [collection, setCollection] = useState("");
  const collections = useQuery(collectionList).data?.data ?? [];
  const results = useQuery(searchResults(query, collection));
  const search = (event: FormEvent) => {
    event.preventDefault();
    setQuery(text.trim());
  };
  return (
    <div className="flex flex-col gap-4">
      <form onSubmit={search} className="flex flex-wrap items-end gap-2">
        <Input
          label="Question or words"
          type="search"
          value={text}
          maxLength={1000}
          onChange={(event) => setText(event.target.value)}
          className="min-w-48 flex-1"
        />
        <div className="flex flex-col gap-1">
          <label htmlFor={id}>In</label>
          <select
            id={id}
            value={collection}
            onChange={(event) => setCollection(event.target.value)}
            className={FIELD}
          >
            <option value="">All files</option>
            {collections.map(({ id, name }) => (
              <option key={id} value={id}>
                {name || "Unnamed"}
              </option>
            ))}
          </select>
        </div>
        <Button type="submit" disabled={text.trim() === ""}>
          <Search /> Search
        </Button>
      </form>
      <div role="status" className="flex flex-col gap-3">
        {results.isFetching ? <Spinner /> : null}
        {results.isError ? (
          <ErrorCallout error={results.error} onRetry={() => void results.refetch()} />
        ) : null}
        {results.data?.length === 0 ? <p>No passages found</p> : null}
      </div>
      <ol className="flex flex-col gap-3">
        {results.data?.flatMap((found) =>
          found.content.map((content) => (
            <Hit
              key={`${found.file_id} ${content.start}`}
              found={found}
              content={content}
              query={query}
            />
          )),
        )}
      </ol>
    </div>
  );
}

type HitProps = { found: Found; content: Found["content"][number]; query: string };

function Hit({ found, content, query }: HitProps) {
  const place = [content.page === null ? "" : `page ${content.page}`, content.heading];
  return (
    <li className="rounded-lg border px-4 py-3">
      <p className="text-sm">
        <bdi className="font-medium [overflow-wrap:anywhere]">{found.filename}</bdi>
        <span className="text-muted-foreground">
          {place.map((part) => (part ? ` · ${part}` : ""))} · score {found.score.toFixed(2)}
        </span>
      </p>
      <p dir="auto" className="mt-1 whitespace-pre-wrap [overflow-wrap:anywhere]">
        {markWords(content.text, query).map(({ text, isMatch }, index) =>
          isMatch ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text do not move.
            <mark key={index} className="rounded-xs bg-warning text-warning-foreground">
              {text}
            </mark>
          ) : (
            text
          ),
        )}
      </p>
    </li>
  );
}
