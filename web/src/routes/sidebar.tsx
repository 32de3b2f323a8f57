/** The chats, and the ways to the other pages. */
import { Link } from "@tanstack/react-router";
import { Command, MessageCircleDashed, PanelLeft, SquarePen } from "lucide-react";
import { TEMPORARY } from "@/chat/temporary-id";
import { buttonStyle } from "@/components/button";
import { IconButton, Tip } from "@/components/icon-button";
import { ChatList } from "@/conversations/list/chat-list";
import { ServiceBadge } from "@/monitoring/service-badge";
import { Logo } from "@/theme/logo";
import { useLayout } from "./layout";
import { PAGES } from "./pages";
import { shortcutText } from "./shortcuts";

const LINK =
  "flex items-center gap-2.5 rounded-md px-2.5 py-1.5 touch:min-h-11 hover:bg-muted aria-[current=page]:bg-muted aria-[current=page]:font-medium [&_svg]:size-4";

export function Sidebar({ onClose }: { onClose: () => void }) {
  const { openCommands } = useLayout();
  return (
    <div className="flex h-full flex-col bg-sidebar">
      <div className="flex min-h-14 items-center gap-2.5 px-3">
        <Logo className="size-7" />
        <span className="flex-1 font-heading font-semibold text-lg">SmolChat</span>
        <IconButton label="Commands" shortcut={shortcutText(["mod", "K"])} onClick={openCommands}>
          <Command />
        </IconButton>
        <IconButton
          label="Close sidebar"
          shortcut={shortcutText(["mod", "Shift", "S"])}
          onClick={onClose}
        >
          <PanelLeft />
        </IconButton>
      </div>
      <div className="flex gap-2 px-3 pb-2">
        <Link to="/" className={`${buttonStyle()} min-w-0 flex-1`}>
          <SquarePen aria-hidden />
          New chat
        </Link>
        <Tip label="Temporary chat: not stored">
          <Link
            to="/c/$id"
            params={{ id: TEMPORARY }}
            aria-label="Temporary chat"
            className={`${buttonStyle({ size: "icon" })} size-9`}
          >
            <MessageCircleDashed aria-hidden />
          </Link>
        </Tip>
      </div>
      <ChatList />
      <nav aria-label="Pages" className="grid shrink-0 border-t p-3 short:grid-cols-2 short:py-1">
        {PAGES.map(({ to, name, Icon }) => (
          <Link key={to} to={to} className={LINK}>
            <Icon aria-hidden />
            {name}
            {to === "/app/status" ? <ServiceBadge /> : null}
          </Link>
        ))}
      </nav>
    </div>
  );
}
