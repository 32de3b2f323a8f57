/** Edits a message where it stands. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";

type Props = {
  label: string;
  text: string;
  onCancel: () => void;
  /** Corrects the message in its place. */
  onSave: (text: string) => Promise<void>;
  /** Asks the edited question again. */
  onSend?: (text: string) => void;
};

export function EditForm({ label, text: original, onCancel, onSave, onSend }: Props) {
  const [text, setText] = useState(original);
  const [error, setError] = useState<unknown>();
  const ref = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    ref.current?.focus();
    ref.current?.setSelectionRange(-1, -1);
  }, []);
  const isEmpty = text.trim() === "";
  const save = () => onSave(text).catch(setError);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onCancel();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !isEmpty) {
      if (onSend) onSend(text);
      else save();
    }
  };
  return (
    <div className="flex flex-col gap-2">
      <textarea
        ref={ref}
        aria-label={label}
        dir="auto"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        className="field-sizing-content max-h-[60dvh] min-h-20 w-full rounded-md border border-input bg-background p-3"
      />
      {error === undefined ? null : <ErrorCallout error={error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button size="sm" onClick={onCancel}>
          Cancel
        </Button>
        <Button
          size="sm"
          variant={onSend ? "outline" : "primary"}
          disabled={isEmpty}
          onClick={save}
        >
          Save
        </Button>
        {onSend ? (
          <Button size="sm" variant="primary" disabled={isEmpty} onClick={() => onSend(text)}>
            Send
          </Button>
        ) : null}
      </div>
    </div>
  );
}
