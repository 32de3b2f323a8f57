/** The line above a chat: its title and menu, its model, and its parameters. */
import { ChevronDown, SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/button";
import { IconButton } from "@/components/icon-button";
import { Menu, MenuContent, MenuTrigger } from "@/components/menu";
import { useChatActions } from "@/conversations/chat-actions";
import { ChatMenuItems } from "@/conversations/chat-menu";
import { RenameField } from "@/conversations/rename-field";
import { ModelPicker } from "@/models/model-picker";
import { PageHeader } from "@/routes/page-header";
import { setPreferences, usePreferences } from "@/settings/preferences";
import { PANEL_BUTTON_ID } from "./parameters/parameter-panel";
import { TEMPORARY } from "./temporary-id";
import type { Conversation } from "./types";
import type { SettingsHandle } from "./use-settings";

const MAX_TITLE = 200;

type Props = { chat: Conversation | undefined; handle: SettingsHandle };

export function ChatHeader({ chat, handle }: Props) {
  const title = chat?.title || "New chat";
  const isStored = chat !== undefined && chat.id !== TEMPORARY;
  return (
    <PageHeader title={title} heading={isStored ? <TitleMenu chat={chat} /> : undefined}>
      <ModelPicker model={handle.settings.model} onChange={(model) => handle.change({ model })} />
      <PanelButton />
    </PageHeader>
  );
}

/** The title is a menu of what can be done with the chat. */
function TitleMenu({ chat }: { chat: Conversation }) {
  const { actions } = useChatActions();
  const [isRenaming, setRenaming] = useState(false);
  if (isRenaming) {
    return (
      <RenameField
        label="Title of the chat"
        value={chat.title}
        maxLength={MAX_TITLE}
        onCancel={() => setRenaming(false)}
        onSave={(title) => {
          setRenaming(false);
          void actions.rename(chat, title);
        }}
      />
    );
  }
  return (
    <h1 className="flex min-w-0 text-lg">
      <Menu>
        <MenuTrigger asChild>
          <Button variant="ghost" className="-ms-3 min-w-0 max-w-full px-3 font-heading text-lg">
            <span className="truncate" dir="auto">
              {chat.title || "New chat"}
            </span>
            <ChevronDown aria-hidden />
          </Button>
        </MenuTrigger>
        <MenuContent align="start">
          <ChatMenuItems chat={chat} onRename={() => setRenaming(true)} />
        </MenuContent>
      </Menu>
    </h1>
  );
}

function PanelButton() {
  const { isPanelOpen } = usePreferences();
  return (
    <IconButton
      id={PANEL_BUTTON_ID}
      label="Parameters"
      aria-pressed={isPanelOpen}
      onClick={() => setPreferences({ isPanelOpen: !isPanelOpen })}
    >
      <SlidersHorizontal />
    </IconButton>
  );
}
