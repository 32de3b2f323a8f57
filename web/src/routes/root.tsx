/** The frame: chats on the left (a drawer where there is no room), the page beside them. */
import { Outlet, useRouter } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { Drawer } from "@/components/dialog";
import { useMediaQuery } from "@/components/use-media-query";
import { setPreferences, usePreferences } from "@/settings/preferences";
import { KeyDialog } from "./key-dialog";
import { LayoutContext } from "./layout";
import { Sidebar } from "./sidebar";

export function Root() {
  const isWide = useMediaQuery("(min-width: 60rem)");
  const { isSidebarOpen } = usePreferences();
  const [isDrawerOpen, setDrawerOpen] = useState(false);
  const router = useRouter();
  // Something was chosen: the drawer has done its work.
  useEffect(() => router.subscribe("onResolved", () => setDrawerOpen(false)), [router]);
  const layout = useMemo(
    () => ({
      isWide,
      isSidebarHidden: !(isWide && isSidebarOpen),
      openSidebar: () => (isWide ? setPreferences({ isSidebarOpen: true }) : setDrawerOpen(true)),
    }),
    [isWide, isSidebarOpen],
  );
  return (
    <LayoutContext value={layout}>
      <a
        href="#main"
        className="-top-20 fixed start-4 z-50 rounded-full bg-primary px-4 py-2 text-primary-foreground focus:top-2"
      >
        Skip to the page
      </a>
      <div className="flex h-full">
        {isWide && isSidebarOpen ? (
          <aside aria-label="Chats and pages" className="w-70 shrink-0 border-e">
            <Sidebar onClose={() => setPreferences({ isSidebarOpen: false })} />
          </aside>
        ) : null}
        <main id="main" tabIndex={-1} className="flex min-w-0 flex-1 flex-col outline-none">
          <Outlet />
        </main>
      </div>
      {!isWide && isDrawerOpen ? (
        <Drawer label="Chats and pages" side="left" onClose={() => setDrawerOpen(false)}>
          <Sidebar onClose={() => setDrawerOpen(false)} />
        </Drawer>
      ) : null}
      <KeyDialog />
    </LayoutContext>
  );
}
