/** What the parts of an open chat share: its session, and what can be done with its messages. */
import { createContext, useContext } from "react";
import { call } from "@/api/client";
import { queryClient } from "@/api/query-client";
import { conversationKeys } from "@/conversations/queries";
import type { Content } from "./request";
import type { ChatSession } from "./session";
import { deleteTemporary, readTemporary, writeTemporary } from "./temporary";
import { latestLeaf } from "./tree";
import type { Conversation, Message } from "./types";

export type ChatContextValue = {
  session: ChatSession;
  actions: MessageActions;
};

export const ChatContext = createContext<ChatContextValue | undefined>(undefined);

export function useChat(): ChatContextValue {
  const value = useContext(ChatContext);
  if (value === undefined) throw new Error("not in a chat");
  return value;
}

export type MessageActions = {
  /** Make the branch with this message and its newest replies the one that is shown. */
  select: (message: Message) => Promise<void>;
  remove: (message: Message) => Promise<void>;
  /** Correct a text where it stands. */
  edit: (message: Message, content: string) => Promise<void>;
  /** Ask an edited question: another branch. */
  resend: (message: Message, content: Content) => void;
  /** Send only this message and those after it to the model. */
  sendFrom: (message: Message | null) => Promise<void>;
};

export function messageActions(session: ChatSession): MessageActions {
  const actions = session.isTemporary ? temporaryActions() : storedActions(session.id);
  return {
    ...actions,
    resend: (message, content) => session.resend(content, message.parent),
  };
}

type StoredActions = Omit<MessageActions, "resend">;

function storedActions(id: string): StoredActions {
  const key = conversationKeys.one(id);
  const path = { conversation: id };
  const refresh = () => queryClient.invalidateQueries({ queryKey: key });
  const change = async (body: { current?: string; sent_from?: string | null }) => {
    // Shown at once; the reply is what is stored.
    queryClient.setQueryData<Conversation>(key, (chat) => chat && { ...chat, ...body });
    try {
      await call("patch", "/conversations/{conversation}", { path, body });
    } finally {
      await refresh();
    }
  };
  return {
    select: async (message) => {
      const chat = queryClient.getQueryData<Conversation>(key);
      await change({ current: latestLeaf(chat?.messages ?? [], message) });
    },
    sendFrom: (message) => change({ sent_from: message?.id ?? null }),
    remove: async (message) => {
      const messagePath = { ...path, message: message.id };
      await call("delete", "/conversations/{conversation}/messages/{message}", {
        path: messagePath,
      });
      await refresh();
    },
    edit: async (message, content) => {
      const messagePath = { ...path, message: message.id };
      await call("patch", "/conversations/{conversation}/messages/{message}", {
        path: messagePath,
        body: { content },
      });
      await refresh();
    },
  };
}

function temporaryActions(): StoredActions {
  return {
    select: async (message) => {
      writeTemporary({ current: latestLeaf(readTemporary().messages, message) });
    },
    sendFrom: async (message) => writeTemporary({ sent_from: message?.id ?? null }),
    remove: async (message) => deleteTemporary(message.id),
    edit: async (message, content) => {
      const { messages } = readTemporary();
      const edited = { ...message, content, receipt: null, logprobs: null };
      writeTemporary({
        messages: messages.map((other) => (other.id === message.id ? edited : other)),
      });
    },
  };
}
