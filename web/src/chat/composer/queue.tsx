/** Messages that are sent when the answer before them is complete. */
import { Pencil, X } from "lucide-react";
import { Button } from "@/components/button";
import { IconButton } from "@/components/icon-button";
import { useChat } from "../chat-context";
import { useSession } from "../use-session";

type Props = { isAnswering: boolean; onEdit: (text: string) => void };

export function Queue({ isAnswering, onEdit }: Props) {
  const { session } = useChat();
  const queue = useSession(session, (snapshot) => snapshot.queue);
  if (queue.length === 0) return null;
  const without = (index: number) => session.setQueue(queue.toSpliced(index, 1));
  return (
    <ul aria-label="Next messages" className="mb-2 flex flex-col gap-1">
      {queue.map((text, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two queued messages may be the same.
        <li key={index} className="flex items-center gap-1 rounded-md bg-muted ps-3 text-sm">
          <span className="shrink-0 text-muted-foreground">Next:</span>
          <span className="min-w-0 flex-1 truncate" dir="auto">
            {text}
          </span>
          {index === 0 && !isAnswering ? (
            <Button size="sm" onClick={() => session.sendNext()}>
              Send now
            </Button>
          ) : null}
          <IconButton
            label="Edit"
            onClick={() => {
              without(index);
              onEdit(text);
            }}
          >
            <Pencil />
          </IconButton>
          <IconButton label="Remove" onClick={() => without(index)}>
            <X />
          </IconButton>
        </li>
      ))}
    </ul>
  );
}
