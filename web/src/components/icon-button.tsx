/** A button that is an icon: its name is read aloud, and shown on hover and focus. */
import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { Button, type ButtonProps } from "./button";
import { usePortal } from "./portal";

type Props = Omit<ButtonProps, "children" | "aria-label"> & {
  label: string;
  /** Shown after the label: `Ctrl+K`. */
  shortcut?: string;
  children: ReactNode;
};

export function IconButton({ label, shortcut, children, ...props }: Props) {
  return (
    <Tip label={label} shortcut={shortcut}>
      <Button variant="ghost" size="icon" aria-label={label} {...props}>
        {children}
      </Button>
    </Tip>
  );
}

type TipProps = { label: string; shortcut?: string | undefined; children: ReactNode };

/** Shows the name of a button or link that is an icon. */
export function Tip({ label, shortcut, children }: TipProps) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger
        asChild
        // Focus that was moved for a finger or a pointer needs no name beside it.
        onFocus={(event) => {
          if (!event.currentTarget.matches(":focus-visible")) event.preventDefault();
        }}
      >
        {children}
      </Tooltip.Trigger>
      <Tooltip.Portal container={usePortal()}>
        <Tooltip.Content
          sideOffset={4}
          className="z-50 max-w-64 rounded-md bg-foreground px-2 py-1 text-background text-xs"
        >
          {label}
          {shortcut ? <kbd className="ms-2 opacity-80">{shortcut}</kbd> : null}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
