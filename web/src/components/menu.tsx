/** A menu of actions behind a button. After shadcn/ui (MIT, see LICENSE-shadcn.txt). */
import { clsx } from "clsx";
import { DropdownMenu } from "radix-ui";
import type { ComponentProps } from "react";
import { usePortal } from "./portal";

// Not modal: a modal menu writes a style element, which the page's policy forbids.
export function Menu(props: ComponentProps<typeof DropdownMenu.Root>) {
  return <DropdownMenu.Root modal={false} {...props} />;
}

export const MenuTrigger = DropdownMenu.Trigger;

export function MenuContent({ className, ...props }: ComponentProps<typeof DropdownMenu.Content>) {
  return (
    <DropdownMenu.Portal container={usePortal()}>
      <DropdownMenu.Content
        sideOffset={4}
        collisionPadding={8}
        className={clsx(
          "z-40 max-h-(--radix-dropdown-menu-content-available-height) min-w-44 overflow-y-auto rounded-md border bg-popover p-1 shadow-lg",
          className,
        )}
        {...props}
      />
    </DropdownMenu.Portal>
  );
}

const ITEM =
  "flex w-full select-none items-center gap-2.5 rounded-md px-2.5 py-1.5 outline-none touch:min-h-11 data-disabled:opacity-50 data-highlighted:bg-muted [&_svg]:size-4 [&_svg]:shrink-0";

type ItemProps = ComponentProps<typeof DropdownMenu.Item> & { isDestructive?: boolean };

export function MenuItem({ className, isDestructive, ...props }: ItemProps) {
  return (
    <DropdownMenu.Item
      className={clsx(ITEM, isDestructive && "text-destructive-foreground", className)}
      {...props}
    />
  );
}

export function MenuRadioItem(props: ComponentProps<typeof DropdownMenu.RadioItem>) {
  return (
    <DropdownMenu.RadioItem className={clsx(ITEM, "data-[state=checked]:text-ember")} {...props} />
  );
}

export const MenuRadioGroup = DropdownMenu.RadioGroup;

export function MenuLabel(props: ComponentProps<typeof DropdownMenu.Label>) {
  return (
    <DropdownMenu.Label className="px-2.5 pt-2 pb-1 text-muted-foreground text-xs" {...props} />
  );
}

export function MenuSeparator() {
  return <DropdownMenu.Separator className="my-1 h-px bg-border" />;
}
