/** The composer of an open chat, with what waits to be sent and how full the context is. */
import type { RefObject } from "react";
import { chatSession, type Snapshot } from "../session";
import type { Conversation, Message } from "../types";
import type { SettingsHandle } from "../use-settings";
import { Composer, type ComposerHandle } from "./composer";
import { ContextGauge } from "./context-gauge";
import { Queue } from "./queue";

type Props = {
  chat: Conversation;
  handle: SettingsHandle;
  snapshot: Snapshot;
  branch: Message[];
  ref: RefObject<ComposerHandle | null>;
};

export function ChatComposer({ chat, handle, snapshot, branch, ref }: Props) {
  const session = chatSession(chat.id);
  const { isAnswering } = session;
  return (
    <div className="mx-auto w-full max-w-[50rem] px-4 pb-[max(0.75rem,env(safe-area-inset-bottom))]">
      <Queue
        queue={snapshot.queue}
        isAnswering={isAnswering}
        onEdit={(text) => ref.current?.setText(text)}
      />
      <Composer
        key={chat.id}
        chat={chat.id}
        isAnswering={isAnswering}
        onSend={(text) => session.send(text)}
        onStop={() => void session.stop()}
        ref={ref}
      />
      <ContextGauge branch={branch} model={handle.settings.model ?? handle.defaultModel ?? null} />
    </div>
  );
}
