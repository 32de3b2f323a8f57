/** The chats, and the ways to the other pages. */
import { Link } from "@tanstack/react-router";
import { Activity, Braces, FileText, PanelLeft, Settings, SquarePen, Wrench } from "lucide-react";
import { buttonStyle } from "@/components/button";
import { IconButton } from "@/components/icon-button";
import { ChatList } from "@/conversations/chat-list";

const PAGES = [
  { to: "/app/structured", name: "Structured", Icon: Braces },
  { to: "/app/tools", name: "Tools", Icon: Wrench },
  { to: "/app/files", name: "Files", Icon: FileText },
  { to: "/app/status", name: "Status", Icon: Activity },
  { to: "/app/settings", name: "Settings", Icon: Settings },
] as const;

const LINK =
  "flex items-center gap-2.5 rounded-md px-2.5 py-1.5 touch:min-h-11 hover:bg-muted aria-[current=page]:bg-muted aria-[current=page]:font-medium [&_svg]:size-4";

export function Sidebar({ onClose }: { onClose: () => void }) {
  return (
    <div className="flex h-full flex-col bg-sidebar">
      <div className="flex min-h-14 items-center gap-2.5 px-3">
        <img src="/favicon.svg" alt="" className="size-7" />
        <span className="flex-1 font-heading font-semibold text-lg">SmolChat</span>
        <IconButton label="Close sidebar" onClick={onClose}>
          <PanelLeft />
        </IconButton>
      </div>
      <div className="px-3 pb-3">
        <Link to="/" className={`${buttonStyle()} w-full`}>
          <SquarePen />
          New chat
        </Link>
      </div>
      <nav aria-label="Chats" className="min-h-0 flex-1 overflow-y-auto px-3">
        <ChatList />
      </nav>
      <nav aria-label="Pages" className="border-t p-3">
        {PAGES.map(({ to, name, Icon }) => (
          <Link key={to} to={to} className={LINK}>
            <Icon aria-hidden />
            {name}
          </Link>
        ))}
      </nav>
    </div>
  );
}
