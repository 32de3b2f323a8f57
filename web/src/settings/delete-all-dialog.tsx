/** Asks what is deleted for good, and wants it confirmed by a word. */
import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { Input } from "@/components/input";
import { showToast } from "@/components/toast";
import { deleteAll, type Kind } from "./delete-all";

const CONFIRMATION = "delete";
const NAMES: { kind: Kind; name: string }[] = [
  { kind: "chats", name: "All chats, also those that could be restored" },
  { kind: "files", name: "All files and collections" },
  { kind: "presets", name: "All presets" },
  { kind: "browser", name: "Settings, drafts and the API key in this browser" },
];

export function DeleteAllDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const router = useRouter();
  const [kinds, setKinds] = useState<ReadonlySet<Kind>>(new Set(["chats"]));
  const [word, setWord] = useState("");
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<unknown>();
  const isConfirmed = word.trim().toLowerCase() === CONFIRMATION && kinds.size > 0;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!isConfirmed || isRunning) return;
    setRunning(true);
    setError(undefined);
    try {
      await deleteAll(kinds);
      if (kinds.has("browser")) {
        location.assign("/"); // What this page still has in memory would be stored again.
        return;
      }
      onClose();
      showToast({ text: "Deleted" });
      if (kinds.has("chats")) await router.navigate({ to: "/" });
    } catch (failure) {
      setError(failure);
    } finally {
      setRunning(false);
      await client.resetQueries();
    }
  };
  return (
    <Dialog title="Delete all data?" onClose={onClose} isPersistent={isRunning}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <p>This cannot be undone. Export your chats first if you may want them again.</p>
        <fieldset>
          <legend className="mb-1">Delete</legend>
          {NAMES.map(({ kind, name }) => (
            <label key={kind} className="flex items-center gap-2.5 py-1 touch:min-h-11">
              <input
                type="checkbox"
                checked={kinds.has(kind)}
                onChange={() => setKinds((before) => toggled(before, kind))}
              />
              {name}
            </label>
          ))}
        </fieldset>
        <Input
          label={`Type “${CONFIRMATION}” to confirm`}
          autoComplete="off"
          autoCapitalize="none"
          value={word}
          onChange={(event) => setWord(event.target.value)}
        />
        {error === undefined ? null : <ErrorCallout error={error} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose} disabled={isRunning}>
            Cancel
          </Button>
          <Button type="submit" variant="destructive" disabled={!isConfirmed || isRunning}>
            {isRunning ? "Deleting…" : "Delete for good"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function toggled(kinds: ReadonlySet<Kind>, kind: Kind): ReadonlySet<Kind> {
  const after = new Set(kinds);
  if (!after.delete(kind)) after.add(kind);
  return after;
}
