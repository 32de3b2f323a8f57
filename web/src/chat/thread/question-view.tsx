/** A message of the person: formatted like an answer, edited where it stands. */
import { Check, Copy, Pencil, Trash2 } from "lucide-react";
import { memo, useState } from "react";
import { ErrorBoundaryText } from "@/components/error-boundary";
import { IconButton } from "@/components/icon-button";
import { useCopy } from "@/components/use-copy";
import { Markdown } from "../answer/markdown";
import { useChat } from "../chat-context";
import type { Content, Part } from "../request";
import { DeleteMessage } from "./delete-message";
import { EditForm } from "./edit-form";
import { MessageImages } from "./message-images";
import type { QuestionRow } from "./rows";
import { VersionSwitch } from "./version-switch";

const ROLES: Record<string, string> = { system: "System message", developer: "System message" };

export const QuestionView = memo(function QuestionView({ row }: { row: QuestionRow }) {
  const [isEditing, setEditing] = useState(false);
  const { actions } = useChat();
  const { message, isStored } = row;
  const edited = (text: string): Content => withText(message.parts as Part[] | null, text);
  return (
    <section
      aria-label={ROLES[message.role] ?? "Your message"}
      className="group/question rounded-s-md rounded-e-lg border-primary border-s-3 bg-message px-4 py-3"
    >
      {message.parts === null ? null : <MessageImages parts={message.parts as Part[]} />}
      {isEditing ? (
        <EditForm
          label="Edit your message"
          text={message.content}
          onCancel={() => setEditing(false)}
          onSave={async (text) => {
            await actions.edit(message, text);
            setEditing(false);
          }}
          onSend={(text) => {
            setEditing(false);
            actions.resend(message, edited(text));
          }}
        />
      ) : (
        <ErrorBoundaryText text={message.content}>
          <Markdown text={message.content} />
        </ErrorBoundaryText>
      )}
      {isEditing ? null : isStored ? (
        <QuestionActions row={row} onEdit={() => setEditing(true)} />
      ) : (
        // As high, so that nothing moves when the message is stored.
        <div className="mt-1 -mb-1.5 h-8 touch:h-11" />
      )}
    </section>
  );
});

function QuestionActions({ row, onEdit }: { row: QuestionRow; onEdit: () => void }) {
  const { isCopied, copy } = useCopy();
  const [isDeleting, setDeleting] = useState(false);
  const { message, versions } = row;
  return (
    <div className="-ms-2 mt-1 -mb-1.5 flex items-center text-muted-foreground">
      <IconButton label="Edit" onClick={onEdit}>
        <Pencil />
      </IconButton>
      <IconButton label={isCopied ? "Copied" : "Copy"} onClick={() => copy(message.content)}>
        {isCopied ? <Check /> : <Copy />}
      </IconButton>
      <IconButton label="Delete…" onClick={() => setDeleting(true)}>
        <Trash2 />
      </IconButton>
      <VersionSwitch
        versions={versions}
        index={versions.findIndex(({ id }) => id === message.id)}
      />
      {isDeleting ? <DeleteMessage message={message} onClose={() => setDeleting(false)} /> : null}
    </div>
  );
}

/** Return the content with another text and the same images. */
function withText(parts: Part[] | null, text: string): Content {
  const images = (parts ?? []).filter(({ type }) => type !== "text");
  return images.length === 0 ? text : [{ type: "text", text }, ...images];
}
