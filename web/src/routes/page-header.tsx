/** The line above each page: what it is, and what can be done with all of it. */
import { Link } from "@tanstack/react-router";
import { PanelLeft, SquarePen } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { buttonStyle } from "@/components/button";
import { IconButton } from "@/components/icon-button";
import { useLayout } from "./layout";

type Props = {
  title: string;
  /** Shown in the title's place, where it is more than text. */
  heading?: ReactNode;
  /** Buttons at its end. */
  children?: ReactNode;
};

export function PageHeader({ title, heading, children }: Props) {
  const { isSidebarHidden, openSidebar } = useLayout();
  useEffect(() => {
    document.title = `${title} – SmolChat`;
  }, [title]);
  return (
    <header className="flex min-h-14 shrink-0 items-center gap-1 border-b px-2 sm:px-4">
      {isSidebarHidden ? (
        <>
          <IconButton label="Open sidebar" onClick={openSidebar}>
            <PanelLeft />
          </IconButton>
          <Link
            to="/"
            aria-label="New chat"
            className={buttonStyle({ variant: "ghost", size: "icon" })}
          >
            <SquarePen />
          </Link>
        </>
      ) : null}
      <div className="min-w-0 flex-1 px-2">
        {heading ?? <h1 className="truncate text-lg">{title}</h1>}
      </div>
      <div className="flex shrink-0 items-center gap-1">{children}</div>
    </header>
  );
}
