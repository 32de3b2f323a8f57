/** Asks into which folder a chat is put: one that exists, a new one, or none. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { Input } from "@/components/input";
import type { ChatRef } from "./actions";
import { folderList, MAX_FOLDER_NAME } from "./folders";

type Props = { chat: ChatRef; onMove: (folder: string | null) => void; onClose: () => void };

export function MoveDialog({ chat, onMove, onClose }: Props) {
  const folders = useQuery(folderList);
  const names = folders.data?.map(({ name }) => name) ?? [];
  const [folder, setFolder] = useState(chat.folder);
  const [newName, setNewName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onMove(newName.trim() || folder);
  };
  return (
    <Dialog title="Move to folder" onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        {folders.isError ? (
          <ErrorCallout error={folders.error} onRetry={() => folders.refetch()} />
        ) : null}
        {names.length > 0 ? (
          <fieldset className="max-h-64 overflow-y-auto">
            <legend className="mb-1">Folder</legend>
            {[null, ...names].map((name) => (
              <label
                key={name === null ? "none" : `folder ${name}`}
                className="flex items-center gap-2.5 rounded-md px-2 py-1 touch:min-h-11 hover:bg-muted"
              >
                <input
                  type="radio"
                  name="folder"
                  checked={newName.trim() === "" && folder === name}
                  onChange={() => {
                    setFolder(name);
                    setNewName("");
                  }}
                />
                {name === null ? "No folder" : <bdi className="min-w-0 truncate">{name}</bdi>}
              </label>
            ))}
          </fieldset>
        ) : null}
        <Input
          label="New folder"
          dir="auto"
          autoComplete="off"
          maxLength={MAX_FOLDER_NAME}
          value={newName}
          onChange={(event) => setNewName(event.target.value)}
        />
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            variant="primary"
            disabled={newName.trim() === "" && folder === chat.folder}
          >
            Move
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
