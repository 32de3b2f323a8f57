/** One file: how far it was read, what is wrong with it, and what can be done with it. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Ellipsis, FileText, FolderPlus, MessageSquare, Trash2 } from "lucide-react";
import { useState } from "react";
import { ErrorCallout } from "@/components/callout";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { IconButton } from "@/components/icon-button";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/menu";
import { useFormat } from "@/settings/format";
import { AddDialog } from "./add-dialog";
import { createChat, deleteFile, fileKeys, isBeingRead, type StoredFile } from "./queries";
import { TextDialog } from "./text-dialog";
import { useRowFocus } from "./use-row-focus";

const STATES = {
  uploaded: { name: "Waiting", style: "bg-warning text-warning-foreground" },
  in_progress: { name: "Reading", style: "bg-warning text-warning-foreground" },
  processed: { name: "Ready", style: "bg-success text-success-foreground" },
  error: { name: "Failed", style: "bg-destructive text-destructive-foreground" },
} as const;

export function FileRow({ file }: { file: StoredFile }) {
  const format = useFormat();
  const { name, style } = STATES[file.status];
  const { error, warning, progress } = file.smolchat;
  const problem = error?.message ?? (file.status === "error" ? file.status_details : null);
  return (
    <li className="rounded-lg border px-4 py-3">
      <div className="flex items-start gap-3">
        <div className="min-w-0 flex-1">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <bdi className="min-w-0 font-medium [overflow-wrap:anywhere]">{file.filename}</bdi>
            <span className={clsx("rounded-full px-2.5 py-0.5 text-sm", style)}>{name}</span>
          </div>
          <p className="text-muted-foreground text-sm">
            {format.bytes(file.bytes)} · {format.dateTime(new Date(file.created_at * 1000))}
          </p>
        </div>
        <Actions file={file} />
      </div>
      {isBeingRead(file) ? (
        <progress
          value={progress}
          aria-label={`Reading ${file.filename}`}
          className="mt-2 h-1.5 w-full accent-(--primary)"
        />
      ) : null}
      {problem ? <p className="mt-1 text-destructive-foreground text-sm">{problem}</p> : null}
      {warning ? <p className="mt-1 text-sm text-warning-foreground">{warning}</p> : null}
    </li>
  );
}

function Actions({ file }: { file: StoredFile }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [dialog, setDialog] = useState<"text" | "add" | "delete">();
  const focus = useRowFocus(dialog !== undefined);
  const close = () => setDialog(undefined);
  const ask = useMutation({
    mutationFn: () => createChat({ file_ids: [file.id] }),
    onSuccess: (id) => navigate({ to: "/c/$id", params: { id } }),
  });
  const deletion = useMutation({
    mutationFn: () => deleteFile(file.id),
    onSuccess: () => {
      focus.leave();
      close();
      for (const queryKey of Object.values(fileKeys)) void client.invalidateQueries({ queryKey });
    },
  });
  const isReady = file.status === "processed";
  return (
    <>
      {ask.isError ? <ErrorCallout error={ask.error} /> : null}
      <Menu>
        <MenuTrigger asChild>
          <IconButton label={`Actions of ${file.filename}`} ref={focus.menu}>
            <Ellipsis />
          </IconButton>
        </MenuTrigger>
        <MenuContent align="end">
          {isReady ? (
            <>
              <MenuItem onSelect={() => setDialog("text")}>
                <FileText /> View text
              </MenuItem>
              <MenuItem onSelect={() => ask.mutate()}>
                <MessageSquare /> Ask in a chat
              </MenuItem>
            </>
          ) : null}
          {file.status === "error" ? null : (
            <MenuItem onSelect={() => setDialog("add")}>
              <FolderPlus /> Add to a collection…
            </MenuItem>
          )}
          <MenuItem isDestructive onSelect={() => setDialog("delete")}>
            <Trash2 /> Delete…
          </MenuItem>
        </MenuContent>
      </Menu>
      {dialog === "text" ? <TextDialog file={file} onClose={close} /> : null}
      {dialog === "add" ? <AddDialog file={file} onClose={close} /> : null}
      {dialog === "delete" ? (
        <ConfirmDialog
          title="Delete this file?"
          error={deletion.error}
          onConfirm={() => deletion.mutate()}
          onClose={close}
        >
          The text of <bdi className="font-medium">{file.filename}</bdi> is removed from all
          collections and searches. Answers keep what they quote. This cannot be undone.
        </ConfirmDialog>
      ) : null}
    </>
  );
}
