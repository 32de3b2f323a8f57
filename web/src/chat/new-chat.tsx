/** A chat before its first message: it is stored when that is sent. */
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { call } from "@/api/client";
import { ErrorCallout } from "@/components/callout";
import { conversationKeys } from "@/conversations/queries";
import type { SendContext } from "./answer-request";
import { ChatHeader } from "./chat-header";
import { useVariants } from "./compare";
import { COMPOSER_BAR } from "./composer/bar";
import { ChatComposer } from "./composer/chat-composer";
import type { ComposerHandle } from "./composer/composer";
import { ParameterPanel } from "./parameters/parameter-panel";
import { type Content, contentText, type FileOptions } from "./request";
import { chatSession } from "./session";
import { storedFields } from "./settings";
import type { Conversation } from "./types";
import { useSendContext, useSettings } from "./use-settings";
import { Welcome } from "./welcome";

const NEW = "new";

export function NewChat() {
  const handle = useSettings(undefined);
  const variants = useVariants();
  const context = useSendContext(handle.settings, variants);
  const composer = useRef<ComposerHandle>(null);
  const { start, error, isStarting } = useStart(context);
  const send = (content: Content, fileOptions?: FileOptions) =>
    start(content, fileOptions).catch(() => composer.current?.setText(contentText(content)));
  return (
    <>
      <ChatHeader chat={undefined} handle={handle} />
      <div className="flex min-h-0 flex-1">
        <div className="flex min-w-0 flex-1 flex-col">
          <Welcome handle={handle} composer={composer} />
          <div className={COMPOSER_BAR}>
            {error === undefined ? null : <ErrorCallout error={error} className="mb-2" />}
            <ChatComposer
              chat={NEW}
              handle={handle}
              branch={[]}
              isAnswering={false}
              problem={isStarting ? "Sending…" : undefined}
              onSend={send}
              onStop={() => undefined}
              ref={composer}
            />
          </div>
        </div>
        <ParameterPanel handle={handle} />
      </div>
    </>
  );
}

/** Store the chat with its settings, send its first message, and open it. */
function useStart(context: SendContext) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [error, setError] = useState<unknown>();
  const [isStarting, setStarting] = useState(false);
  const start = async (content: Content, fileOptions?: FileOptions) => {
    setStarting(true);
    setError(undefined);
    try {
      const chat = await call("post", "/conversations", { body: storedFields(context.settings) });
      queries.setQueryData<Conversation>(conversationKeys.one(chat.id), {
        ...chat,
        has_more: false,
      });
      const session = chatSession(chat.id);
      session.context = context;
      session.send(content, fileOptions);
      await navigate({ to: "/c/$id", params: { id: chat.id } });
    } catch (failure) {
      setError(failure);
      throw failure;
    } finally {
      setStarting(false);
    }
  };
  return { start, error, isStarting };
}
