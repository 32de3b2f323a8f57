/** What is attached, above the field: images, files that are read, and files that answers are from. */
import { useQueries } from "@tanstack/react-query";
import { FileText, LoaderCircle, TriangleAlert, X } from "lucide-react";
import type { ReactNode } from "react";
import { call } from "@/api/client";
import { IconButton } from "@/components/icon-button";
import type { FileSelection } from "../request";
import type { Attachment } from "./attachments";

type Props = {
  list: Attachment[];
  onRemove: (key: string) => void;
  files: FileSelection;
  onFiles: (files: FileSelection) => void;
};

export function AttachmentList({ list, onRemove, files, onFiles }: Props) {
  const stored = useFileNames(files.file_ids);
  const stores = files.vector_store_ids.length;
  if (list.length + stored.length + stores === 0) return null;
  return (
    <ul aria-label="Attachments" className="flex flex-wrap gap-2 px-3 pt-3">
      {list.map((attachment) => (
        <Chip key={attachment.key} name={attachment.name} onRemove={() => onRemove(attachment.key)}>
          <AttachmentState attachment={attachment} />
        </Chip>
      ))}
      {stored.map(({ id, name }) => (
        <Chip
          key={id}
          name={name}
          onRemove={() =>
            onFiles({ ...files, file_ids: files.file_ids.filter((other) => other !== id) })
          }
        >
          <FileText aria-hidden className="size-4 shrink-0 text-ember" />
        </Chip>
      ))}
      {stores > 0 ? (
        <Chip
          name={stores === 1 ? "1 collection" : `${stores} collections`}
          onRemove={() => onFiles({ ...files, vector_store_ids: [] })}
        >
          <FileText aria-hidden className="size-4 shrink-0 text-ember" />
        </Chip>
      ) : null}
    </ul>
  );
}

function Chip(props: { name: string; onRemove: () => void; children: ReactNode }) {
  return (
    <li className="flex max-w-72 items-center gap-2 rounded-md border bg-background ps-2 text-sm">
      {props.children}
      <span className="min-w-0 truncate" title={props.name}>
        {props.name}
      </span>
      <IconButton label={`Remove ${props.name}`} onClick={props.onRemove}>
        <X />
      </IconButton>
    </li>
  );
}

function AttachmentState({ attachment }: { attachment: Attachment }) {
  switch (attachment.kind) {
    case "image":
      return <img src={attachment.url} alt="" className="my-1 size-10 rounded-sm object-cover" />;
    case "file":
      return (
        <span role="status" className="flex items-center gap-1.5 text-muted-foreground">
          <LoaderCircle aria-hidden className="size-4 animate-spin" />
          Reading {Math.round(attachment.progress * 100)}%
        </span>
      );
    case "failed":
      return (
        <span role="alert" className="flex items-center gap-1.5 text-destructive-foreground">
          <TriangleAlert aria-hidden className="size-4 shrink-0" />
          {attachment.problem}
        </span>
      );
  }
}

/** A file that was deleted is shown by its id, so that it can be removed. */
function useFileNames(ids: string[]): { id: string; name: string }[] {
  return useQueries({
    queries: ids.map((id) => ({
      queryKey: ["files", "one", id],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        call("get", "/files/{file_id}", { path: { file_id: id }, signal }),
      staleTime: 60_000,
    })),
    combine: (results) =>
      results.map(({ data, isError }, index) => ({
        id: ids[index] ?? "",
        name: data?.filename ?? (isError ? "Deleted file" : "…"),
      })),
  });
}
