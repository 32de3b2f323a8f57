/** An open chat: its messages, the field for the next one, and its parameters. */
import { useEffect, useMemo, useRef } from "react";
import { ChatContext, type ChatContextValue, messageActions } from "./chat-context";
import { ChatHeader } from "./chat-header";
import { useVariants } from "./compare";
import { COMPOSER_BAR } from "./composer/bar";
import { ChatComposer } from "./composer/chat-composer";
import type { ComposerHandle } from "./composer/composer";
import { Queue } from "./composer/queue";
import { Thread } from "./lazy-thread";
import { LiveRegion } from "./live-region";
import { ParameterPanel } from "./parameters/parameter-panel";
import { type ChatSession, chatSession } from "./session";
import { activeBranch } from "./tree";
import type { Conversation } from "./types";
import { useSession } from "./use-session";
import { useSendContext, useSettings } from "./use-settings";
import { Welcome } from "./welcome";

export function OpenChat({ chat }: { chat: Conversation }) {
  const session = chatSession(chat.id);
  // Not all of the snapshot, which changes with each token.
  const isAnswering = useSession(session, () => session.isAnswering);
  const hasTurn = useSession(session, ({ turn }) => turn !== undefined);
  const handle = useSettings(chat);
  const variants = useVariants();
  const context = useSendContext(handle.settings, variants);
  const composer = useRef<ComposerHandle>(null);
  useEffect(() => {
    session.context = context;
  }, [session, context]);
  useWatched(session);
  const value = useMemo(
    (): ChatContextValue => ({ session, actions: messageActions(session) }),
    [session],
  );
  const branch = useMemo(() => activeBranch(chat), [chat]);
  const isEmpty = chat.messages.length === 0 && !hasTurn;
  return (
    <ChatContext value={value}>
      <ChatHeader chat={chat} handle={handle} />
      <div className="flex min-h-0 flex-1">
        <div className="flex min-w-0 flex-1 flex-col">
          {isEmpty ? <Welcome handle={handle} composer={composer} /> : <Thread chat={chat} />}
          <div className={COMPOSER_BAR}>
            <Queue isAnswering={isAnswering} onEdit={(text) => composer.current?.setText(text)} />
            <ChatComposer
              chat={chat.id}
              handle={handle}
              branch={branch}
              isAnswering={isAnswering}
              onSend={(content, fileOptions) => session.send(content, fileOptions)}
              onStop={() => void session.stop()}
              ref={composer}
            />
          </div>
        </div>
        <ParameterPanel handle={handle} />
      </div>
      <LiveRegion session={session} />
    </ChatContext>
  );
}

/** Show what is asked for in other tabs while this one is seen. */
function useWatched(session: ChatSession): void {
  useEffect(() => {
    const onChange = () => (document.hidden ? session.unwatch() : session.watch());
    onChange();
    document.addEventListener("visibilitychange", onChange);
    return () => {
      document.removeEventListener("visibilitychange", onChange);
      session.unwatch();
    };
  }, [session]);
}
