/** A chat before its first message: it is stored when that is sent. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Timer } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { call } from "@/api/client";
import { ErrorCallout } from "@/components/callout";
import { IconButton } from "@/components/icon-button";
import { conversationKeys } from "@/conversations/queries";
import { PageHeader } from "@/routes/page-header";
import { ChatHeaderButtons } from "./chat-header";
import { useComparison, variantsOf } from "./compare";
import { Composer, type ComposerHandle } from "./composer/composer";
import { ContextGauge } from "./composer/context-gauge";
import { OpenChat } from "./open-chat";
import { ParameterPanel } from "./parameters/parameter-panel";
import { chatSession, type SendContext } from "./session";
import { storedFields } from "./settings";
import { emptyChat, readTemporary, TEMPORARY, writeTemporary } from "./temporary";
import type { Conversation } from "./types";
import { useSendContext, useSettings } from "./use-settings";
import { Welcome } from "./welcome";

const NEW = "new";

export function NewChat() {
  const [isTemporary, setTemporary] = useState(false);
  const toggle = () => {
    writeTemporary(emptyChat());
    setTemporary(!isTemporary);
  };
  return isTemporary ? <TemporaryChat /> : <UnstoredChat onTemporary={toggle} />;
}

function TemporaryChat() {
  const chat = useQuery({
    queryKey: conversationKeys.one(TEMPORARY),
    queryFn: readTemporary,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    initialData: readTemporary,
  });
  return <OpenChat chat={chat.data} />;
}

function UnstoredChat({ onTemporary }: { onTemporary: () => void }) {
  const handle = useSettings(undefined);
  const comparison = useComparison();
  const variants = useMemo(() => variantsOf(comparison), [comparison]);
  const context = useSendContext(handle.settings, variants);
  const composer = useRef<ComposerHandle>(null);
  const { start, error, isStarting } = useStart(context);
  const send = (text: string) => start(text).catch(() => composer.current?.setText(text));
  return (
    <>
      <PageHeader title="New chat">
        <IconButton label="Temporary chat: not stored" onClick={onTemporary}>
          <Timer />
        </IconButton>
        <ChatHeaderButtons chat={undefined} handle={handle} />
      </PageHeader>
      <div className="flex min-h-0 flex-1">
        <div className="flex min-w-0 flex-1 flex-col">
          <Welcome onPick={(text) => composer.current?.setText(text)} />
          <div className="mx-auto w-full max-w-[50rem] px-4 pb-[max(0.75rem,env(safe-area-inset-bottom))]">
            {error === undefined ? null : <ErrorCallout error={error} className="mb-2" />}
            <Composer
              chat={NEW}
              isAnswering={false}
              problem={isStarting ? "Sending…" : undefined}
              onSend={send}
              onStop={() => undefined}
              ref={composer}
            />
            <ContextGauge branch={[]} model={null} />
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
  const start = async (text: string) => {
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
      session.send(text);
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
