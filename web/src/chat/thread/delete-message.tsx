/** Asks before a message and all that follows it are deleted. */
import { useState } from "react";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { useChat } from "../chat-context";
import type { Message } from "../types";

type Props = { message: Message; onClose: () => void };

export function DeleteMessage({ message, onClose }: Props) {
  const { actions } = useChat();
  const [error, setError] = useState<unknown>();
  const remove = () => actions.remove(message).then(onClose, setError);
  return (
    <ConfirmDialog title="Delete message?" error={error} onConfirm={remove} onClose={onClose}>
      This message and everything after it will be deleted.
    </ConfirmDialog>
  );
}
