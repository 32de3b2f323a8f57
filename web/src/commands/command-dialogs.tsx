/** The page's keys, and the dialogs of commands and keys; their code is loaded when one opens. */
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef } from "react";
import { runToastAction } from "@/components/toast";
import { commandOf } from "@/routes/shortcuts";

export type OpenDialog = "commands" | "shortcuts" | undefined;

type Props = {
  open: OpenDialog;
  onOpen: (dialog: OpenDialog) => void;
  onToggleSidebar: () => void;
};

const CommandMenu = lazy(async () => {
  const { CommandMenu } = await import("./command-menu");
  return { default: CommandMenu };
});
const ShortcutsDialog = lazy(async () => {
  const { ShortcutsDialog } = await import("@/routes/shortcuts-dialog");
  return { default: ShortcutsDialog };
});

export function CommandDialogs(props: Props) {
  const { open, onOpen } = props;
  useKeys(props);
  const close = () => onOpen(undefined);
  return (
    <Suspense>
      {open === "commands" ? (
        <CommandMenu onClose={close} onShortcuts={() => onOpen("shortcuts")} />
      ) : null}
      {open === "shortcuts" ? <ShortcutsDialog onClose={close} /> : null}
    </Suspense>
  );
}

function useKeys({ onOpen, onToggleSidebar }: Props): void {
  const navigate = useNavigate();
  const run = useRef<Record<string, () => void>>({});
  run.current = {
    menu: () => onOpen("commands"),
    shortcuts: () => onOpen("shortcuts"),
    sidebar: onToggleSidebar,
    "new-chat": () => void navigate({ to: "/" }),
  };
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      const command = commandOf(event, fieldText(event.target));
      // A dialog that must be answered goes first.
      if (command === undefined || isAsking()) return;
      if (command === "undo") {
        if (runToastAction()) event.preventDefault();
        return;
      }
      event.preventDefault();
      run.current[command]?.();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
}

/** Return the text of a field; undefined if the target is none. */
function fieldText(target: EventTarget | null): string | undefined {
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) {
    return target.value;
  }
  if (target instanceof HTMLInputElement) {
    return ["radio", "checkbox"].includes(target.type) ? undefined : target.value;
  }
  const isEditable = target instanceof HTMLElement && target.isContentEditable;
  return isEditable ? (target.textContent ?? "") : undefined;
}

/** The drawer of chats is a dialog too, but asks nothing. */
function isAsking(): boolean {
  return document.querySelector("dialog[open]:not([data-drawer])") !== null;
}
