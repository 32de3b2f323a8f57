/** Asks before a chat is deleted that cannot be restored. */
import { ConfirmDialog } from "@/components/confirm-dialog";

type Props = { title: string; onDelete: () => void; onClose: () => void };

export function DeleteDialog({ title, onDelete, onClose }: Props) {
  return (
    <ConfirmDialog title="Delete chat?" onConfirm={onDelete} onClose={onClose}>
      All messages of <bdi className="font-medium">{title || "New chat"}</bdi> will be deleted. This
      cannot be undone.
    </ConfirmDialog>
  );
}
