/** Asks before a chat is deleted that cannot be restored. */
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";

type Props = { title: string; onDelete: () => void; onClose: () => void };

export function DeleteDialog({ title, onDelete, onClose }: Props) {
  return (
    <Dialog title="Delete chat?" onClose={onClose}>
      <p>
        All messages of <bdi className="font-medium">{title || "New chat"}</bdi> will be deleted.
        This cannot be undone.
      </p>
      <div className="mt-4 flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button variant="destructive" onClick={onDelete}>
          Delete
        </Button>
      </div>
    </Dialog>
  );
}
