/** Collections of files: made, renamed, looked into, asked about and deleted. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Ellipsis, MessageSquare, Pencil, Trash2, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { Dialog } from "@/components/dialog";
import { IconButton } from "@/components/icon-button";
import { Input } from "@/components/input";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/menu";
import { Spinner } from "@/components/spinner";
import { useFormat } from "@/settings/format";
import { NewCollection } from "./new-collection";
import {
  type Collection,
  collectionFiles,
  collectionList,
  createChat,
  createCollection,
  deleteCollection,
  fileKeys,
  removeFromCollection,
  renameCollection,
  type StoredFile,
} from "./queries";
import { useRowFocus } from "./use-row-focus";

type Names = ReadonlyMap<string, StoredFile>;

export function CollectionsPane({ files }: { files: StoredFile[] }) {
  const list = useQuery(collectionList);
  const names = new Map(files.map((file) => [file.id, file]));
  return (
    <div className="flex flex-col gap-4">
      <Creation />
      {list.isError ? (
        <ErrorCallout error={list.error} onRetry={() => void list.refetch()} />
      ) : null}
      {list.isPending ? <Spinner /> : null}
      {list.data?.data.length === 0 ? (
        <p className="text-muted-foreground">
          No collections yet. A collection groups files that are searched together.
        </p>
      ) : null}
      <ul className="flex flex-col gap-3">
        {list.data?.data.map((collection) => (
          <CollectionRow key={collection.id} collection={collection} names={names} />
        ))}
      </ul>
    </div>
  );
}

function useChange(onSuccess?: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (action: () => Promise<void>) => action(),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: fileKeys.collections });
      onSuccess?.();
    },
  });
}

function Creation() {
  const change = useChange();
  return (
    <div className="flex flex-col gap-2">
      <NewCollection
        isPending={change.isPending}
        onCreate={(name, clear) =>
          change.mutate(() => createCollection(name, []), { onSuccess: clear })
        }
      />
      {change.isError ? <ErrorCallout error={change.error} /> : null}
    </div>
  );
}

type RowProps = { collection: Collection; names: Names };

function CollectionRow({ collection, names }: RowProps) {
  const format = useFormat();
  const navigate = useNavigate();
  const [dialog, setDialog] = useState<"rename" | "delete">();
  const focus = useRowFocus(dialog !== undefined);
  const close = () => setDialog(undefined);
  const change = useChange(close);
  const deletion = useChange();
  const remove = async () => {
    await deleteCollection(collection.id);
    focus.leave();
    close();
  };
  const name = collection.name || "Unnamed";
  const { total, in_progress, failed } = collection.file_counts;
  const ask = useMutation({
    mutationFn: () => createChat({ vector_store_ids: [collection.id] }),
    onSuccess: (id) => navigate({ to: "/c/$id", params: { id } }),
  });
  return (
    <li className="rounded-lg border px-4 py-3">
      <div className="flex items-start gap-3">
        <div className="min-w-0 flex-1">
          <bdi className="font-medium [overflow-wrap:anywhere]">{name}</bdi>
          <p className="text-muted-foreground text-sm">
            {[
              `${format.number(total)} ${total === 1 ? "file" : "files"}`,
              format.bytes(collection.usage_bytes),
              in_progress > 0 && `${in_progress} being read`,
              failed > 0 && `${failed} failed`,
            ]
              .filter(Boolean)
              .join(" · ")}
          </p>
        </div>
        <Menu>
          <MenuTrigger asChild>
            <IconButton label={`Actions of ${name}`} ref={focus.menu}>
              <Ellipsis />
            </IconButton>
          </MenuTrigger>
          <MenuContent align="end">
            <MenuItem onSelect={() => ask.mutate()}>
              <MessageSquare /> Ask in a chat
            </MenuItem>
            <MenuItem onSelect={() => setDialog("rename")}>
              <Pencil /> Rename…
            </MenuItem>
            <MenuItem isDestructive onSelect={() => setDialog("delete")}>
              <Trash2 /> Delete…
            </MenuItem>
          </MenuContent>
        </Menu>
      </div>
      {ask.isError ? <ErrorCallout error={ask.error} className="mt-2" /> : null}
      {total > 0 ? <Members collection={collection} names={names} /> : null}
      {dialog === "rename" ? (
        <RenameDialog
          name={collection.name}
          error={change.error}
          onRename={(next) => change.mutate(() => renameCollection(collection.id, next))}
          onClose={close}
        />
      ) : null}
      {dialog === "delete" ? (
        <ConfirmDialog
          title="Delete this collection?"
          error={deletion.error}
          onConfirm={() => deletion.mutate(remove)}
          onClose={close}
        >
          <bdi className="font-medium">{name}</bdi> is deleted. Its files are kept.
        </ConfirmDialog>
      ) : null}
    </li>
  );
}

function Members({ collection, names }: RowProps) {
  const [isOpen, setOpen] = useState(false);
  const list = useQuery({ ...collectionFiles(collection.id), enabled: isOpen });
  const change = useChange();
  return (
    <details className="mt-1" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="py-1 text-sm touch:py-2.5">Files</summary>
      {list.isError ? <ErrorCallout error={list.error} /> : null}
      {change.isError ? <ErrorCallout error={change.error} /> : null}
      <ul>
        {list.data?.data.map(({ id }) => {
          const filename = names.get(id)?.filename ?? id;
          return (
            <li key={id} className="flex items-center gap-2">
              <bdi className="min-w-0 flex-1 [overflow-wrap:anywhere]">{filename}</bdi>
              <IconButton
                label={`Remove ${filename} from the collection`}
                disabled={change.isPending}
                onClick={() => change.mutate(() => removeFromCollection(collection.id, id))}
              >
                <X />
              </IconButton>
            </li>
          );
        })}
      </ul>
      {list.data?.has_more ? (
        <p className="text-muted-foreground text-sm">
          and {collection.file_counts.total - list.data.data.length} more
        </p>
      ) : null}
    </details>
  );
}

type RenameProps = {
  name: string;
  error: unknown;
  onRename: (name: string) => void;
  onClose: () => void;
};

function RenameDialog({ name, error, onRename, onClose }: RenameProps) {
  const [text, setText] = useState(name);
  const rename = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") onRename(text.trim());
  };
  return (
    <Dialog title="Rename collection" onClose={onClose}>
      <form onSubmit={rename}>
        <Input
          label="Name"
          value={text}
          maxLength={200}
          onChange={(event) => setText(event.target.value)}
        />
        {error ? <ErrorCallout error={error} className="mt-3" /> : null}
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={text.trim() === ""}>
            Rename
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
