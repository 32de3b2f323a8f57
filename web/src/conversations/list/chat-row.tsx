/** A chat in a list: a link to it, and its menu. */
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ellipsis, LoaderCircle } from "lucide-react";
import { memo, useEffect, useRef } from "react";
import { Button } from "@/components/button";
import { Menu, MenuContent, MenuTrigger } from "@/components/menu";
import { useChatMark } from "../active-chats";
import { useChatActions } from "../chat-actions";
import { ChatMenuItems } from "../chat-menu";
import { type Chat, conversation, MAX_TITLE } from "../queries";
import { RenameField } from "../rename-field";
import { focusMovedChat, takeFocus } from "../row-focus";
import { highlight } from "./highlight";
import { ROW_BUTTON } from "./row-button";

type Props = {
  chat: Chat;
  /** What was searched for: it is marked, and the text around it is shown. */
  search?: string;
};

export const ChatRow = memo(function ChatRow({ chat, search = "" }: Props) {
  const { actions, renaming, setRenaming } = useChatActions();
  if (renaming !== chat.id) return <LinkRow chat={chat} search={search} />;
  const finish = () => {
    focusMovedChat(chat.id);
    setRenaming(undefined);
  };
  return (
    <RenameField
      label="Title of the chat"
      value={chat.title}
      maxLength={MAX_TITLE}
      onCancel={finish}
      onSave={(title) => {
        finish();
        actions.rename(chat, title);
      }}
    />
  );
});

function LinkRow({ chat, search }: { chat: Chat; search: string }) {
  const { actions, setRenaming } = useChatActions();
  const client = useQueryClient();
  const ref = useRef<HTMLAnchorElement>(null);
  useEffect(() => takeFocus(chat.id, ref.current), [chat.id]);
  const title = chat.title || "New chat";
  // A snippet of the title itself says nothing more.
  const snippet = search !== "" && chat.snippet !== title ? chat.snippet : null;
  return (
    <div className="group relative flex items-center rounded-md focus-within:bg-muted hover:bg-muted has-[a[aria-current=page]]:bg-muted">
      <Link
        ref={ref}
        to="/c/$id"
        params={{ id: chat.id }}
        data-chat-link={chat.id}
        onPointerDown={() => void client.prefetchQuery(conversation(chat.id))}
        className="flex min-w-0 flex-1 items-center gap-2 rounded-md px-2.5 py-1.5 touch:min-h-11 aria-[current=page]:font-medium"
        onKeyDown={(event) => {
          if (event.key !== "F2" && event.key !== "Delete") return;
          event.preventDefault();
          if (event.key === "F2") setRenaming(chat.id);
          else void actions.remove(chat);
        }}
      >
        <span className="min-w-0 flex-1">
          <span dir="auto" className="block truncate">
            <Marked text={title} search={search} />
          </span>
          {snippet ? (
            <span dir="auto" className="line-clamp-2 font-normal text-muted-foreground text-sm">
              <Marked text={snippet} search={search} />
            </span>
          ) : null}
          {search !== "" && chat.folder ? (
            <span dir="auto" className="block truncate font-normal text-muted-foreground text-sm">
              in {chat.folder}
            </span>
          ) : null}
        </span>
        <Mark id={chat.id} />
      </Link>
      <RowMenu chat={chat} title={title} />
    </div>
  );
}

function RowMenu({ chat, title }: { chat: Chat; title: string }) {
  const { setRenaming } = useChatActions();
  return (
    <Menu>
      <MenuTrigger asChild>
        <Button
          variant="ghost"
          size="icon"
          aria-label={`Options for ${title}`}
          className={ROW_BUTTON}
        >
          <Ellipsis aria-hidden />
        </Button>
      </MenuTrigger>
      <MenuContent align="start">
        <ChatMenuItems chat={chat} onRename={() => setRenaming(chat.id)} />
      </MenuContent>
    </Menu>
  );
}

/** Tells that an answer is being written, or was since the chat was last open. */
function Mark({ id }: { id: string }) {
  const { titling } = useChatActions();
  const mark = useChatMark(id);
  if (mark === "active" || titling.has(id)) {
    const label = mark === "active" ? "Answering" : "Generating a title";
    return (
      <LoaderCircle
        role="img"
        aria-label={label}
        className="size-4 shrink-0 animate-spin text-ember"
      />
    );
  }
  return mark === "answered" ? (
    <span
      role="img"
      aria-label="New answer"
      className="me-1 size-2 shrink-0 rounded-full bg-primary"
    />
  ) : null;
}

function Marked({ text, search }: { text: string; search: string }) {
  let start = 0;
  return highlight(text, search).map((part) => {
    const key = start;
    start += part.text.length;
    return part.isMatch ? (
      <mark key={key} className="rounded-xs bg-warning font-medium text-warning-foreground">
        {part.text}
      </mark>
    ) : (
      part.text
    );
  });
}
