/** What is above a chat beside its title: its model, and its parameters. */
import { SlidersHorizontal } from "lucide-react";
import { IconButton } from "@/components/icon-button";
import { ModelPicker } from "@/models/model-picker";
import { setPreferences, usePreferences } from "@/settings/preferences";
import type { Conversation } from "./types";
import type { SettingsHandle } from "./use-settings";

type Props = { chat: Conversation | undefined; handle: SettingsHandle };

export function ChatHeaderButtons({ handle }: Props) {
  const { isPanelOpen } = usePreferences();
  return (
    <>
      <ModelPicker model={handle.settings.model} onChange={(model) => handle.change({ model })} />
      <IconButton
        label="Parameters"
        aria-pressed={isPanelOpen}
        onClick={() => setPreferences({ isPanelOpen: !isPanelOpen })}
      >
        <SlidersHorizontal />
      </IconButton>
    </>
  );
}
