/** The frame: chats on the left (a drawer where there is no room), the page beside them. */
import { Outlet, useRouter } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { CommandDialogs, type OpenDialog } from "@/commands/command-dialogs";
import { Drawer } from "@/components/dialog";
import { Toasts } from "@/components/toast";
import { useMediaQuery } from "@/components/use-media-query";
import { ChatActionsProvider } from "@/conversations/chat-actions";
import { preferences, setPreferences, usePreferences } from "@/settings/preferences";
import { KeyDialog } from "./key-dialog";
import { LayoutContext } from "./layout";
import { Sidebar } from "./sidebar";

export function Root() {
  const isWide = useMediaQuery("(min-width: 60rem)");
  const { isSidebarOpen } = usePreferences();
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const [dialog, setDialog] = useState<OpenDialog>();
  // At first the field for a message is shown, which can be used meanwhile.
  const hasSidebar = useDeferredValue(true, false);
  useNavigationEffects(() => setDrawerOpen(false));
  const layout = useMemo(
    () => ({
      isWide,
      isSidebarHidden: !(isWide && isSidebarOpen),
      openSidebar: () => (isWide ? setPreferences({ isSidebarOpen: true }) : setDrawerOpen(true)),
      openCommands: () => setDialog("commands"),
    }),
    [isWide, isSidebarOpen],
  );
  const toggleSidebar = () =>
    isWide
      ? setPreferences({ isSidebarOpen: !preferences().isSidebarOpen })
      : setDrawerOpen((isOpen) => !isOpen);
  return (
    <LayoutContext value={layout}>
      <ChatActionsProvider>
        <a
          href="#main"
          className="-top-20 fixed start-4 z-50 rounded-full bg-primary px-4 py-2 text-primary-foreground focus:top-2"
        >
          Skip to the page
        </a>
        <div className="flex h-full">
          {isWide && isSidebarOpen ? (
            <aside aria-label="Chats and pages" className="w-70 shrink-0 border-e bg-sidebar">
              {hasSidebar ? (
                <Sidebar onClose={() => setPreferences({ isSidebarOpen: false })} />
              ) : null}
            </aside>
          ) : null}
          <main id="main" tabIndex={-1} className="flex min-w-0 flex-1 flex-col outline-none">
            <Outlet />
          </main>
        </div>
        {!isWide && isDrawerOpen ? (
          <Drawer label="Chats and pages" side="left" onClose={() => setDrawerOpen(false)}>
            <Sidebar onClose={() => setDrawerOpen(false)} />
            <Toasts />
          </Drawer>
        ) : (
          <Toasts />
        )}
        <CommandDialogs open={dialog} onOpen={setDialog} onToggleSidebar={toggleSidebar} />
        <KeyDialog />
      </ChatActionsProvider>
    </LayoutContext>
  );
}

/** Something was chosen: the drawer has done its work, and the keyboard goes on in the page. */
function useNavigationEffects(onNavigated: () => void): void {
  const router = useRouter();
  // biome-ignore lint/correctness/useExhaustiveDependencies: it only sets state.
  useEffect(
    () =>
      router.subscribe("onResolved", ({ pathChanged }) => {
        onNavigated();
        if (!pathChanged) return;
        // After the page, which may want the focus for its field.
        setTimeout(() => {
          if (document.activeElement === document.body) document.getElementById("main")?.focus();
        });
      }),
    [router],
  );
}
