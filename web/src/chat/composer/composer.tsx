/** The field for the next message: it can be written while an answer is, and is never lost. */
import { ArrowUp, ListPlus, Square } from "lucide-react";
import {
  type ChangeEvent,
  type KeyboardEvent,
  type ReactNode,
  type Ref,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from "react";
import { Button } from "@/components/button";
import { useMediaQuery } from "@/components/use-media-query";
import { usePreferences } from "@/settings/preferences";
import { readDraft, writeDraft } from "../drafts";

const SAVE_MS = 300;
const FIELD_ID = "message-field";

export type ComposerHandle = { focus: () => void; setText: (text: string) => void };

type Props = {
  /** Whose draft it is. */
  chat: string;
  isAnswering: boolean;
  /** Why nothing can be sent, if so. */
  problem?: string | undefined;
  hasAttachments?: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
  onFiles?: (files: File[]) => void;
  onText?: (text: string) => void;
  /** Buttons at its left, and what is attached. */
  tools?: ReactNode;
  attachments?: ReactNode;
  ref?: Ref<ComposerHandle>;
};

export function Composer(props: Props) {
  const { chat, isAnswering, problem, hasAttachments = false, onSend, onStop } = props;
  const [text, setText] = useDraft(chat);
  const { onText } = props;
  useEffect(() => onText?.(text), [text, onText]);
  const field = useRef<HTMLTextAreaElement>(null);
  const isSendKey = useSendKey();
  useEffect(focusMessageField, []);
  useImperativeHandle(props.ref, () => ({
    focus: () => field.current?.focus(),
    setText: (value) => {
      setText(value);
      field.current?.focus();
    },
  }));
  const canSend = (text.trim() !== "" || hasAttachments) && problem === undefined;
  const submit = () => {
    if (!canSend) return;
    setText("");
    onSend(text.trim());
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (isSendKey(event)) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && isAnswering) onStop();
  };
  return (
    <form
      aria-label="New message"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      className="rounded-lg border border-input bg-card focus-within:border-primary"
    >
      {props.attachments}
      <textarea
        ref={field}
        id={FIELD_ID}
        aria-label="Message"
        placeholder="Message…"
        dir="auto"
        rows={1}
        value={text}
        onChange={(event: ChangeEvent<HTMLTextAreaElement>) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={(event) => {
          const files = [...event.clipboardData.files];
          if (files.length === 0 || props.onFiles === undefined) return;
          event.preventDefault();
          props.onFiles(files);
        }}
        className="field-sizing-content max-h-[40dvh] min-h-11 w-full resize-none bg-transparent px-4 py-2.5 outline-none placeholder:text-muted-foreground"
      />
      <div className="flex items-center gap-1 px-2 pb-2">
        <div className="flex min-w-0 flex-1 items-center gap-1">{props.tools}</div>
        {problem === undefined ? null : (
          <p role="status" className="text-sm text-warning-foreground">
            {problem}
          </p>
        )}
        {isAnswering ? (
          <Button size="icon" aria-label="Stop" title="Stop (Esc)" onClick={onStop}>
            <Square className="fill-current" />
          </Button>
        ) : null}
        {isAnswering && !canSend ? null : (
          <Button
            type="submit"
            variant="primary"
            size="icon"
            disabled={!canSend}
            aria-label={isAnswering ? "Send next" : "Send"}
          >
            {isAnswering ? <ListPlus /> : <ArrowUp />}
          </Button>
        )}
      </div>
    </form>
  );
}

/** Let the next message be written at once, unless that would raise the keyboard of a phone. */
export function focusMessageField(): void {
  if (matchMedia("(pointer: coarse)").matches) return;
  document.getElementById(FIELD_ID)?.focus({ preventScroll: true });
}

/** Return the draft of a chat, which is stored shortly after it was typed. */
function useDraft(chat: string): [string, (text: string) => void] {
  const [text, setText] = useState(() => readDraft(chat).text);
  const saved = useRef(text);
  useEffect(() => {
    const save = () => {
      if (saved.current === text) return;
      saved.current = text;
      writeDraft(chat, { ...readDraft(chat), text });
    };
    const timer = setTimeout(save, text === "" ? 0 : SAVE_MS);
    addEventListener("pagehide", save);
    return () => {
      clearTimeout(timer);
      removeEventListener("pagehide", save);
      save();
    };
  }, [chat, text]);
  return [text, setText];
}

/** Enter sends, unless it ends a composition (229 in Safari), makes a line, or the keys are touched. */
function useSendKey(): (event: KeyboardEvent) => boolean {
  const { sendKey } = usePreferences();
  const isTouch = useMediaQuery("(pointer: coarse)");
  return (event) => {
    const isComposing = event.nativeEvent.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || isComposing || event.shiftKey || event.altKey) return false;
    const isModified = event.ctrlKey || event.metaKey;
    return isModified || (sendKey === "enter" && !isTouch);
  };
}
