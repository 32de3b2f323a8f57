/** The panel on the right, or over the page where there is no room beside it. */
import { X } from "lucide-react";
import { lazy, type RefObject, Suspense, useEffect, useRef } from "react";
import { Drawer } from "@/components/dialog";
import { IconButton } from "@/components/icon-button";
import { Spinner } from "@/components/spinner";
import { useMediaQuery } from "@/components/use-media-query";
import { setPreferences, usePreferences } from "@/settings/preferences";
import type { SettingsHandle } from "../use-settings";

/** The button that opens the panel, which gets the focus back. */
export const PANEL_BUTTON_ID = "parameters-button";

const Parameters = lazy(() => import("./parameters"));

export function ParameterPanel({ handle }: { handle: SettingsHandle }) {
  const { isPanelOpen } = usePreferences();
  const isWide = useMediaQuery("(min-width: 76rem)");
  const closeButton = useRef<HTMLButtonElement>(null);
  useFocusWhenOpened(isPanelOpen, closeButton);
  if (!isPanelOpen) return null;
  const close = () => {
    setPreferences({ isPanelOpen: false });
    document.getElementById(PANEL_BUTTON_ID)?.focus();
  };
  const content = (
    <div className="flex h-full flex-col">
      <div className="flex min-h-12 items-center justify-between ps-4 pe-2">
        <h2 className="text-lg">Parameters</h2>
        <IconButton label="Close parameters" onClick={close} ref={closeButton}>
          <X />
        </IconButton>
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto px-4 pb-6">
        <Suspense fallback={<Spinner />}>
          <Parameters handle={handle} />
        </Suspense>
      </div>
    </div>
  );
  if (isWide) {
    return (
      <aside
        aria-label="Parameters"
        className="w-80 shrink-0 border-s"
        onKeyDown={(event) => {
          if (event.key === "Escape" && !event.defaultPrevented) close();
        }}
      >
        {content}
      </aside>
    );
  }
  return (
    <Drawer label="Parameters" side="right" onClose={close}>
      {content}
    </Drawer>
  );
}

/** Move the focus into the panel when a person opens it, but not when a chat opens with it. */
function useFocusWhenOpened(isOpen: boolean, target: RefObject<HTMLElement | null>): void {
  const wasOpen = useRef(isOpen);
  useEffect(() => {
    if (isOpen && !wasOpen.current) target.current?.focus();
    wasOpen.current = isOpen;
  }, [isOpen, target]);
}
