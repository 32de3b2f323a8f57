/** The menu of a chat: in its row, and above it where it is open. */
import { CopyPlus, Download, Folder, Pencil, Pin, PinOff, Sparkles, Trash2 } from "lucide-react";
import { address } from "@/api/client";
import { download } from "@/api/download";
import { errorMessage } from "@/api/errors";
import { MenuItem, MenuLabel, MenuSeparator } from "@/components/menu";
import { showToast } from "@/components/toast";
import type { ChatRef } from "./actions";
import { useChatActions } from "./chat-actions";

const FORMATS = [
  { format: "json", name: "JSON" },
  { format: "markdown", name: "Markdown" },
  { format: "html", name: "HTML" },
] as const;

type Props = { chat: ChatRef; onRename: () => void };

export function ChatMenuItems({ chat, onRename }: Props) {
  const { actions } = useChatActions();
  return (
    <>
      <MenuItem onSelect={() => actions.setPinned(chat, !chat.pinned)}>
        {chat.pinned ? <PinOff aria-hidden /> : <Pin aria-hidden />}
        {chat.pinned ? "Unpin" : "Pin"}
      </MenuItem>
      <MenuItem onSelect={onRename}>
        <Pencil aria-hidden />
        Rename
      </MenuItem>
      <MenuItem onSelect={() => actions.writeTitle(chat)}>
        <Sparkles aria-hidden />
        Generate title
      </MenuItem>
      <MenuItem onSelect={() => actions.openMove(chat)}>
        <Folder aria-hidden />
        Move to folder…
      </MenuItem>
      <MenuItem onSelect={() => actions.duplicate(chat)}>
        <CopyPlus aria-hidden />
        Duplicate
      </MenuItem>
      <MenuSeparator />
      <MenuLabel>Export as</MenuLabel>
      {FORMATS.map(({ format, name }) => (
        <MenuItem key={format} onSelect={() => exportChat(chat.id, format)}>
          <Download aria-hidden />
          {name}
        </MenuItem>
      ))}
      <MenuSeparator />
      <MenuItem isDestructive onSelect={() => actions.remove(chat)}>
        <Trash2 aria-hidden />
        Delete
      </MenuItem>
    </>
  );
}

function exportChat(id: string, format: string): void {
  const url = address("/conversations/{conversation}/export", { conversation: id }, { format });
  download(url).catch((error: unknown) => showToast({ text: errorMessage(error) }));
}
