/** The text of a file as it was read, with its pages and headings. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { Spinner } from "@/components/spinner";
import { useFormat } from "@/settings/format";
import { fileText, type StoredFile } from "./queries";

type Props = { file: Pick<StoredFile, "id" | "filename">; onClose: () => void };

export function TextDialog({ file, onClose }: Props) {
  const format = useFormat();
  const text = useInfiniteQuery(fileText(file.id));
  const pages = text.data?.pages ?? [];
  const characters = pages.at(0)?.characters;
  return (
    <Dialog title={file.filename} onClose={onClose} className="w-[min(48rem,calc(100vw-2rem))]!">
      {characters === undefined ? null : (
        <p className="mb-3 text-muted-foreground text-sm">
          The text as it was read: {format.number(characters)} characters.
        </p>
      )}
      {text.isError ? (
        <ErrorCallout error={text.error} onRetry={() => void text.refetch()} />
      ) : null}
      {text.isPending ? <Spinner /> : null}
      <div className="flex flex-col gap-3">
        {pages.flatMap(({ data }) =>
          data.map(({ start, text, page, heading }) => (
            <section key={start}>
              <p className="text-muted-foreground text-xs empty:hidden">
                {[page === null ? "" : `Page ${page}`, heading].filter(Boolean).join(" · ")}
              </p>
              <p dir="auto" className="whitespace-pre-wrap [overflow-wrap:anywhere]">
                {text}
              </p>
            </section>
          )),
        )}
      </div>
      {text.hasNextPage ? (
        <Button
          className="mt-4"
          disabled={text.isFetchingNextPage}
          onClick={() => void text.fetchNextPage()}
        >
          Show more
        </Button>
      ) : null}
    </Dialog>
  );
}
