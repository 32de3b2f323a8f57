/** What is attached, above the field: images, files that are read, and files that answers are from. */
import { FileText, FolderOpen, LoaderCircle, TriangleAlert, X } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/components/button";
import { IconButton } from "@/components/icon-button";
import { countSelected, useSelected, without } from "../files/chat-files";
import type { FileSelection } from "../request";
import type { Attachment } from "./attachments";

const ICON = { "aria-hidden": true, className: "size-4 shrink-0 text-ember" } as const;

type Props = {
  list: Attachment[];
  onRemove: (key: string) => void;
  files: FileSelection;
  onFiles: (files: FileSelection) => void;
};

export function AttachmentList({ list, onRemove, files, onFiles }: Props) {
  const selected = useSelected(files);
  const hidden = countSelected(files) - selected.length;
  if (list.length + selected.length === 0) return null;
  return (
    <ul aria-label="Attachments" className="flex flex-wrap gap-2 px-3 pt-3">
      {list.map((attachment) => (
        <Chip key={attachment.key} name={attachment.name} onRemove={() => onRemove(attachment.key)}>
          <AttachmentState attachment={attachment} />
        </Chip>
      ))}
      {selected.map(({ id, kind, name }) => (
        <Chip key={id} name={name} onRemove={() => onFiles(without(files, id))}>
          {kind === "file" ? <FileText {...ICON} /> : <FolderOpen {...ICON} />}
        </Chip>
      ))}
      {hidden > 0 ? (
        <li className="flex items-center gap-2 text-muted-foreground text-sm">
          and {hidden} more
          <Button
            size="sm"
            variant="ghost"
            onClick={() => onFiles({ ...files, file_ids: [], vector_store_ids: [] })}
          >
            Remove all
          </Button>
        </li>
      ) : null}
    </ul>
  );
}

function Chip(props: { name: string; onRemove: () => void; children: ReactNode }) {
  return (
    <li className="flex max-w-72 items-center gap-2 rounded-md border bg-background ps-2 text-sm">
      {props.children}
      <bdi className="min-w-0 truncate" title={props.name}>
        {props.name}
      </bdi>
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
