/** Asks before something is deleted. */
import type { ReactNode } from "react";
import { Button } from "./button";
import { ErrorCallout } from "./callout";
import { Dialog } from "./dialog";

type Props = {
  title: string;
  children: ReactNode;
  error?: unknown;
  onConfirm: () => void;
  onClose: () => void;
};

export function ConfirmDialog({ title, children, error, onConfirm, onClose }: Props) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p className="[overflow-wrap:anywhere]">{children}</p>
      {error ? <ErrorCallout error={error} className="mt-3" /> : null}
      <div className="mt-4 flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button variant="destructive" onClick={onConfirm}>
          Delete
        </Button>
      </div>
    </Dialog>
  );
}
