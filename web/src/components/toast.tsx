/** Short messages over the page that go by themselves, some with an action like Undo. */
import { X } from "lucide-react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Button } from "./button";
import { IconButton } from "./icon-button";

export type Toast = {
  text: string;
  /** It stays longer if there is something to do. */
  action?: { label: string; run: () => void };
};

type Shown = Toast & { id: number };

const SECONDS = 6;
const SECONDS_WITH_ACTION = 30;
const MAX_SHOWN = 3;

let shown: readonly Shown[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

export function showToast(toast: Toast): void {
  lastId += 1;
  setShown([...shown, { ...toast, id: lastId }].slice(-MAX_SHOWN));
}

/** Run the action of the newest message that has one; return false if none has. */
export function runToastAction(): boolean {
  const toast = shown.findLast(({ action }) => action !== undefined);
  if (toast === undefined) return false;
  close(toast.id);
  toast.action?.run();
  return true;
}

/** The place of these messages: once in the page, or in a dialog that covers it. */
export function Toasts() {
  const toasts = useSyncExternalStore(subscribe, () => shown);
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-0 bottom-4 z-50 flex flex-col items-center gap-2 px-4"
    >
      {toasts.map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastView({ toast }: { toast: Shown }) {
  const { id, text, action } = toast;
  const [isHeld, setHeld] = useState(false);
  const hasAction = action !== undefined;
  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => close(id), (hasAction ? SECONDS_WITH_ACTION : SECONDS) * 1000);
    return () => clearTimeout(timer);
  }, [id, isHeld, hasAction]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only waits while it is pointed at.
    <div
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
      className="pointer-events-auto flex max-w-md items-center gap-2 rounded-lg border bg-popover py-1.5 ps-4 pe-1.5 shadow-lg"
    >
      <p className="min-w-0 [overflow-wrap:anywhere]">{text}</p>
      {action === undefined ? null : (
        <Button
          size="sm"
          className="text-ember"
          onClick={() => {
            close(id);
            action.run();
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton label="Dismiss" onClick={() => close(id)}>
        <X />
      </IconButton>
    </div>
  );
}

function close(id: number): void {
  setShown(shown.filter((toast) => toast.id !== id));
}

function setShown(next: readonly Shown[]): void {
  shown = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
