/**
 * Dialogs and drawers on the browser's own `<dialog>`: it holds the focus, makes the rest of the
 * page inert and closes by Escape.
 */
import { clsx } from "clsx";
import { X } from "lucide-react";
import { type ReactNode, type SyntheticEvent, useEffect, useId, useRef, useState } from "react";
import { Button } from "./button";
import { PortalContext } from "./portal";

type ModalProps = {
  onClose: () => void;
  children: ReactNode;
  className?: string;
  label?: string;
  labelledBy?: string;
  /** A click beside it, or Escape, does not close it. */
  isPersistent?: boolean;
  /** A part of the page rather than a question. */
  isDrawer?: boolean;
};

/** The bare dialog: open as long as it is rendered. */
export function Modal({
  onClose,
  children,
  className,
  label,
  labelledBy,
  isPersistent = false,
  isDrawer = false,
}: ModalProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const [portal, setPortal] = useState<HTMLElement | null>(null);
  useEffect(() => {
    const dialog = ref.current;
    const opener = document.activeElement;
    dialog?.showModal();
    setPortal(dialog);
    return () => {
      dialog?.close();
      // Unmounted, the dialog cannot give the focus back itself.
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  const cancel = (event: SyntheticEvent) => {
    if (event.target !== ref.current) return;
    event.preventDefault();
    if (!isPersistent) onClose();
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape is its cancel event.
    <dialog
      ref={ref}
      onCancel={cancel}
      onClick={cancel}
      aria-label={label}
      aria-labelledby={labelledBy}
      data-drawer={isDrawer || undefined}
      className={clsx(
        "max-h-none max-w-none border-0 p-0",
        isDrawer ? "bg-background" : "bg-popover",
        className,
      )}
    >
      <PortalContext value={portal}>{children}</PortalContext>
    </dialog>
  );
}

type DialogProps = {
  title: string;
  onClose: () => void;
  children: ReactNode;
  className?: string;
  isPersistent?: boolean;
};

/** A dialog in the middle of the page, with a title. */
export function Dialog({ title, onClose, children, className, isPersistent }: DialogProps) {
  const id = useId();
  return (
    <Modal
      onClose={onClose}
      labelledBy={id}
      isPersistent={isPersistent ?? false}
      className={clsx(
        "m-auto max-h-[calc(100dvh-2rem)] w-[min(32rem,calc(100vw-2rem))] rounded-lg border shadow-xl",
        className,
      )}
    >
      <h2 id={id} className="py-4 ps-5 pe-14 text-xl">
        {title}
      </h2>
      <div className="px-5 pb-5">{children}</div>
      {/* The last, so that a dialog opens with the focus in its first field. */}
      {isPersistent ? null : (
        <Button
          variant="ghost"
          size="icon"
          aria-label="Close"
          className="absolute end-3 top-3"
          onClick={onClose}
        >
          <X aria-hidden />
        </Button>
      )}
    </Modal>
  );
}

type DrawerProps = {
  label: string;
  side: "left" | "right";
  onClose: () => void;
  children: ReactNode;
};

/** A part of the page that slides over it where there is no room beside it. */
export function Drawer({ label, side, onClose, children }: DrawerProps) {
  return (
    <Modal
      onClose={onClose}
      label={label}
      isDrawer
      className={clsx(
        "fixed inset-y-0 m-0 h-dvh w-[min(21rem,calc(100vw-3rem))] shadow-xl",
        side === "left" ? "right-auto left-0" : "right-0 left-auto",
      )}
    >
      {children}
    </Modal>
  );
}
