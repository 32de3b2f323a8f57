/** An open chat: its messages, the field for the next one, and its parameters. */
import { Suspense, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { ChatContext, type ChatContextValue, messageActions } from "./chat-context";
import { ChatHeader } from "./chat-header";
import { useComparison, variantsOf } from "./compare";
import { COMPOSER_BAR } from "./composer/bar";
import { ChatComposer } from "./composer/chat-composer";
import type { ComposerHandle } from "./composer/composer";
import { Queue } from "./composer/queue";
import { Thread } from "./lazy-thread";
import { LiveRegion } from "./live-region";
import { ParameterPanel } from "./parameters/parameter-panel";
import { chatSession } from "./session";
import { activeBranch } from "./tree";
import type { Conversation } from "./types";
import { useSendContext, useSettings } from "./use-settings";
import { Welcome } from "./welcome";

export function OpenChat({ chat }: { chat: Conversation }) {
  const session = chatSession(chat.id);
  const snapshot = useSyncExternalStore(session.subscribe, session.snapshot);
  const handle = useSettings(chat);
  const comparison = useComparison();
  const variants = useMemo(() => variantsOf(comparison), [comparison]);
  const context = useSendContext(handle.settings, variants);
  const composer = useRef<ComposerHandle>(null);
  useEffect(() => {
    session.context = context;
  }, [session, context]);
  useFollowed(chat);
  const value = useMemo(
    (): ChatContextValue => ({ session, actions: messageActions(session) }),
    [session],
  );
  const isEmpty = chat.messages.length === 0 && snapshot.turn === undefined;
  return (
    <ChatContext value={value}>
      <ChatHeader chat={chat} handle={handle} />
      <div className="flex min-h-0 flex-1">
        <div className="flex min-w-0 flex-1 flex-col">
          {isEmpty ? (
            <Welcome onPick={(text) => composer.current?.setText(text)} />
          ) : (
            <Suspense fallback={<div className="min-h-0 flex-1" />}>
              <Thread chat={chat} snapshot={snapshot} />
            </Suspense>
          )}
          <div className={COMPOSER_BAR}>
            <Queue
              queue={snapshot.queue}
              isAnswering={session.isAnswering}
              onEdit={(text) => composer.current?.setText(text)}
            />
            <ChatComposer
              chat={chat.id}
              handle={handle}
              branch={activeBranch(chat)}
              isAnswering={session.isAnswering}
              onSend={(content) => session.send(content)}
              onStop={() => void session.stop()}
              ref={composer}
            />
          </div>
        </div>
        <ParameterPanel handle={handle} />
      </div>
      <LiveRegion turn={snapshot.turn} />
    </ChatContext>
  );
}

/** Show what is being written in a chat without this tab having asked for it. */
function useFollowed(chat: Conversation): void {
  const session = chatSession(chat.id);
  const isWriting = chat.messages.some(({ state }) => state === "writing");
  useEffect(() => {
    if (isWriting) void session.follow();
  }, [session, isWriting]);
  useEffect(() => () => session.unfollow(), [session]);
}
