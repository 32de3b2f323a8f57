/** All files, filtered by their names, newest first. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Input } from "@/components/input";
import { Spinner } from "@/components/spinner";
import { useFormat } from "@/settings/format";
import { DropZone } from "./drop-zone";
import { FileRow } from "./file-row";
import { fileList, isBeingRead, type StoredFile } from "./queries";

const FILTER_FROM = 10; // files

export function FilesPane() {
  const list = useInfiniteQuery(fileList);
  const [filter, setFilter] = useState("");
  const files = list.data?.pages.flatMap(({ data }) => data) ?? [];
  const wanted = filter.trim().toLowerCase();
  const shown = files.filter(({ filename }) => filename.toLowerCase().includes(wanted));
  return (
    <div className="flex flex-col gap-4">
      <DropZone />
      {list.isError ? (
        <ErrorCallout error={list.error} onRetry={() => void list.refetch()} />
      ) : null}
      {list.isPending ? <Spinner /> : null}
      {list.isSuccess && files.length === 0 ? (
        <p className="text-muted-foreground">No files yet. Upload some above.</p>
      ) : null}
      {files.length > 0 ? <Totals files={files} hasMore={list.hasNextPage} /> : null}
      {files.length > FILTER_FROM ? (
        <Input
          label="Filter by name"
          type="search"
          value={filter}
          maxLength={200}
          onChange={(event) => setFilter(event.target.value)}
        />
      ) : null}
      {files.length > 0 && shown.length === 0 ? <p>No files found</p> : null}
      <ul className="flex flex-col gap-3">
        {shown.map((file) => (
          <FileRow key={file.id} file={file} />
        ))}
      </ul>
      {list.hasNextPage ? (
        <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show more
        </Button>
      ) : null}
    </div>
  );
}

function Totals({ files, hasMore }: { files: StoredFile[]; hasMore: boolean }) {
  const format = useFormat();
  const reading = files.filter(isBeingRead).length;
  const failed = files.filter(({ status }) => status === "error").length;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const count = `${format.number(files.length)}${hasMore ? "+" : ""}`;
  return (
    <p role="status" className="text-muted-foreground text-sm">
      {[
        `${count} ${files.length === 1 ? "file" : "files"}`,
        format.bytes(bytes),
        reading > 0 && `${reading} being read`,
        failed > 0 && `${failed} failed`,
      ]
        .filter(Boolean)
        .join(" · ")}
    </p>
  );
}
