/** Where the focus is after a dialog that a row's menu has opened: a closed menu cannot take it back. */
import { useEffect, useRef } from "react";

export function useRowFocus(isOpen: boolean) {
  const menu = useRef<HTMLButtonElement>(null);
  const target = useRef<HTMLElement | null | undefined>(undefined);
  const wasOpen = useRef(false);
  useEffect(() => {
    const hasClosed = wasOpen.current && !isOpen;
    wasOpen.current = isOpen;
    if (!hasClosed) return;
    (target.current ?? menu.current)?.focus();
    target.current = undefined;
  }, [isOpen]);
  /** The row is about to go: the next one gets the focus, or all of the list. */
  const leave = () => {
    target.current = beside(menu.current);
  };
  return { menu, leave };
}

function beside(menu: HTMLElement | null): HTMLElement | null | undefined {
  const row = menu?.closest("li");
  const next = row?.nextElementSibling ?? row?.previousElementSibling;
  const other = next?.querySelector<HTMLElement>("[aria-haspopup=menu]");
  return other ?? menu?.closest<HTMLElement>("[role=tabpanel]");
}
