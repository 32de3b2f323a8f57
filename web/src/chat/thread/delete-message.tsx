/** Asks before a message and all that follows it are deleted. */
import { useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { useChat } from "../chat-context";
import type { Message } from "../types";

type Props = { message: Message; onClose: () => void };

export function DeleteMessage({ message, onClose }: Props) {
  const { actions } = useChat();
  const [error, setError] = useState<unknown>();
  const remove = () => actions.remove(message).then(onClose, setError);
  return (
    <Dialog title="Delete message?" onClose={onClose}>
      <p>This message and everything after it will be deleted.</p>
      {error === undefined ? null : <ErrorCallout error={error} className="mt-3" />}
      <div className="mt-4 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button variant="destructive" onClick={remove}>
          Delete
        </Button>
      </div>
    </Dialog>
  );
}
