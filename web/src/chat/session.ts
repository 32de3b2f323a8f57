/**
 * A chat in use: the answers that are being written, and what is sent next. It outlives the view of
 * the chat, so that several chats answer at once.
 */
import { notifyManager } from "@tanstack/react-query";
import { jsonBody, send as sendRequest } from "@/api/client";
import { ApiError, errorMessage, isAbort } from "@/api/errors";
import { queryClient } from "@/api/query-client";
import { readEvents } from "@/api/sse";
import { conversationKeys, conversation as conversationQuery } from "@/conversations/queries";
import {
  addEvent,
  endStream,
  failed,
  isOver,
  type LiveAnswer,
  newAnswer,
} from "./answer/live-answer";
import { type Plan, requestBody, type SendContext, type Variant } from "./answer-request";
import { readDraft, writeDraft } from "./drafts";
import type { Content, FileOptions } from "./request";
import { answerMessages, appendTemporary, newMessage, readTemporary, TEMPORARY } from "./temporary";
import type { Conversation, Message } from "./types";
import { ChatWatcher } from "./watcher";

export type LiveEntry = { key: string; label: string; answer: LiveAnswer };

/** A question and the answers to it that are being written. */
export type Turn = {
  /** The message above the answers, or above the question if that is not stored yet. */
  base: string | null;
  /** A question that is not stored yet. */
  question: Message | undefined;
  /** The messages of an answer that goes on after its steps. */
  started: Message[];
  entries: LiveEntry[];
};

export type Snapshot = {
  turn: Turn | undefined;
  /** Answers that another tab, or this one before a reload, has asked for. */
  followed: ReadonlyMap<string, LiveAnswer>;
  queue: readonly string[];
  /** Questions whose answers are shown side by side. */
  compared: ReadonlySet<string>;
  isStopping: boolean;
};

type Job = {
  entry: LiveEntry;
  controller: AbortController;
  stored: PromiseWithResolvers<string | undefined>;
};

/** Answers that are written side by side are shown at most so often. */
const FRAME_MS = 40;
const IDLE: Snapshot = {
  turn: undefined,
  followed: new Map(),
  queue: [],
  compared: new Set(),
  isStopping: false,
};

const sessions = new Map<string, ChatSession>();

export function chatSession(id: string): ChatSession {
  const known = sessions.get(id) ?? new ChatSession(id);
  sessions.set(id, known);
  return known;
}

export class ChatSession {
  readonly id: string;
  /** Set by the view of the chat; queued messages are sent with it. */
  context: SendContext | undefined;
  /** What this page knows of messages and the API does not, by their ids. */
  readonly memory = {
    /** The keys under which they were shown before they were stored. */
    keys: new Map<string, string>(),
    /** How long they reasoned, round by round. */
    reasoningTimes: new Map<string, (number | undefined)[]>(),
  };
  #snapshot: Snapshot;
  #jobs: Job[] = [];
  #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shownAt = 0;
  readonly #watcher: ChatWatcher;
  #isStopped = false;
  #plan: Plan | undefined;
  #lastText = "";
  /** From the request until its answers are stored and read again. */
  #isBusy = false;

  constructor(id: string) {
    this.id = id;
    this.#snapshot = { ...IDLE, queue: readDraft(id).queue };
    this.#watcher = new ChatWatcher(id, {
      refresh: () => this.#refresh(),
      isKnown: (message) => this.#chat().messages.some((other) => other.id === message),
      show: (followed) => this.#schedule(() => this.#update({ followed })),
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Snapshot => this.#snapshot;

  get isAnswering(): boolean {
    const { followed } = this.#snapshot;
    return this.#isBusy || [...followed.values()].some((answer) => !isOver(answer));
  }

  /** What was written last, or why it failed. */
  get lastText(): string {
    return this.#lastText;
  }

  get isTemporary(): boolean {
    return this.id === TEMPORARY;
  }

  /** Send a question, or queue it behind the answers that are being written. */
  send(content: Content, fileOptions?: FileOptions): void {
    if (this.isAnswering && typeof content === "string" && fileOptions === undefined) {
      this.setQueue([...this.#snapshot.queue, content]);
      return;
    }
    const { current } = this.#chat();
    this.#start({ base: current, question: newMessage("user", current, content), fileOptions });
  }

  /** Ask an edited question in place of another version of it. */
  resend(content: Content, parent: string | null): void {
    this.#start({ base: parent, question: newMessage("user", parent, content) });
  }

  regenerate(questionId: string, fileOptions?: FileOptions): void {
    this.#start({ base: questionId, questionId, fileOptions });
  }

  continueAnswer(answer: Message): void {
    const questionId = answer.parent ?? undefined;
    this.#start({ base: answer.parent, questionId, prefix: answer.content });
  }

  /** Go on with an answer after its steps, of which `approvals` tells what is to be run. */
  continueSteps(started: Message[], approvals: Record<string, unknown>): void {
    this.#start({ base: started[0]?.parent ?? null, started, approvals });
  }

  setQueue(queue: readonly string[]): void {
    writeDraft(this.id, { ...readDraft(this.id), queue: [...queue] });
    this.#update({ queue });
  }

  /** Send the first message of the queue now. */
  sendNext(): void {
    const [next, ...queue] = this.#snapshot.queue;
    if (next === undefined || this.isAnswering) return;
    this.setQueue(queue);
    this.send(next);
  }

  setCompared(questionId: string, isCompared: boolean): void {
    const compared = new Set(this.#snapshot.compared);
    if (isCompared) compared.add(questionId);
    else compared.delete(questionId);
    this.#update({ compared });
  }

  /** Ask once more what failed before anything of it was stored. */
  retry(): void {
    const plan = this.#plan;
    if (plan !== undefined) this.#start(plan);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#update({ isStopping: true });
    const isUnstored = this.#jobs.some(({ entry }) => entry.answer.stored === undefined);
    try {
      if (!this.isTemporary) await this.#stopStored();
    } finally {
      if (this.isTemporary || isUnstored)
        for (const { controller } of this.#jobs) controller.abort();
      this.#update({ isStopping: false });
    }
    // It may have been stored just as the connection ended.
    if (isUnstored && !this.isTemporary) await this.#stopStored();
  }

  /** Show what other tabs ask for, until `unwatch`. */
  watch(): void {
    if (!this.isTemporary) this.#watcher.start();
  }

  unwatch(): void {
    this.#watcher.stop();
  }

  async #stopStored(): Promise<void> {
    const path = `/conversations/${encodeURIComponent(this.id)}/stop`;
    await sendRequest(path, { method: "POST" }).catch(() => undefined);
  }

  #start(plan: Plan): void {
    if (this.isAnswering || this.context === undefined) return;
    this.#isStopped = false;
    this.#isBusy = true;
    this.#watcher.pause();
    this.#plan = plan;
    const { variants, settings } = this.context;
    const isSingle = plan.prefix !== undefined || plan.started !== undefined;
    const chosen = isSingle ? [{ label: "" }] : variants;
    this.#jobs = chosen.map((variant) => {
      const answer = newAnswer(performance.now(), plan.prefix);
      const label = variant.label || settings.model || "";
      const entry = { key: crypto.randomUUID(), label, answer };
      return { entry, controller: new AbortController(), stored: Promise.withResolvers() };
    });
    const turn: Turn = {
      base: plan.base,
      question: plan.question,
      started: plan.started ?? [],
      entries: this.#jobs.map(({ entry }) => entry),
    };
    this.#update({ turn });
    void this.#run(plan, chosen, this.context);
  }

  async #run(plan: Plan, variants: Variant[], context: SendContext): Promise<void> {
    const chat = this.#chat();
    await Promise.all(
      this.#jobs.map(async (job, index) => {
        // Answers are stored in the order in which they are shown, all to the same question.
        const previous = this.#jobs[index - 1];
        const questionId = previous === undefined ? plan.questionId : await previous.stored.promise;
        if (previous !== undefined && questionId === undefined && !this.isTemporary) {
          this.#change(job, (answer) =>
            failed(answer, { message: "The question could not be stored.", code: "not_stored" }),
          );
        } else {
          const body = requestBody(chat, { ...plan, questionId }, variants[index], context, index);
          await this.#read(job, body);
        }
        job.stored.resolve(undefined);
      }),
    );
    await this.#finish(plan);
  }

  async #read(job: Job, body: Record<string, unknown>): Promise<void> {
    try {
      const init = { method: "POST", ...jsonBody(body), signal: job.controller.signal };
      const response = await sendRequest("/chat", init);
      if (response.body === null) throw new Error("The API sent no answer.");
      for await (const events of readEvents(response.body)) {
        const before = job.entry.answer.stored;
        const now = performance.now();
        this.#change(job, (answer) =>
          events.reduce((changed, data) => addEvent(changed, data, now), answer),
        );
        const { stored } = job.entry.answer;
        if (stored !== undefined && before === undefined) this.#onStored(job, stored.question);
      }
      this.#change(job, endStream);
    } catch (error) {
      this.#change(job, (answer) => {
        if (isAbort(error) || this.#isStopped) return { ...answer, state: "stopped" };
        const code = error instanceof ApiError ? error.code : "connection";
        return failed(answer, { message: errorMessage(error), code });
      });
    }
  }

  #onStored(job: Job, question: string | undefined): void {
    job.stored.resolve(question);
    // The first question is the title of its chat.
    if (this.#chat().title === "") this.#refresh().catch(() => undefined);
  }

  async #finish(plan: Plan): Promise<void> {
    const answers = this.#jobs.map(({ entry }) => entry.answer);
    const [first] = answers;
    this.#lastText = first?.error?.message ?? first?.rounds.at(-1)?.text ?? "";
    const wasStored = answers.some(({ stored }) => stored !== undefined);
    this.#flush();
    this.#keepKeys(plan);
    const asked = answers[0]?.stored?.question ?? plan.questionId;
    if (answers.length > 1 && asked !== undefined) this.setCompared(asked, true);
    this.#jobs = [];
    if (this.isTemporary) {
      this.#storeTemporary(plan, answers);
      await pageIsTold();
      this.#update({ turn: undefined });
    } else {
      const before = this.#chat().current;
      try {
        await this.#refresh();
        // A question may be stored although the answer failed before it could tell.
        const isStored = wasStored || this.#chat().current !== before;
        if (isStored || this.#isStopped) this.#update({ turn: undefined });
      } catch {
        // What was written stays in the page.
      }
    }
    this.#isBusy = false;
    this.#update({});
    this.#watcher.resume();
    announceEnd(this.#chat().title);
    if (answers.every(({ state }) => state === "finished")) this.sendNext();
  }

  #storeTemporary({ question, questionId, base }: Plan, answers: LiveAnswer[]): void {
    const parent = question?.id ?? questionId ?? base ?? "";
    const messages = answers.flatMap((answer) => answerMessages(parent, answer));
    appendTemporary([...(question === undefined ? [] : [question]), ...messages]);
  }

  /** What is stored now keeps its place in the page. */
  #keepKeys({ question }: Plan): void {
    for (const { entry } of this.#jobs) {
      const { stored } = entry.answer;
      if (stored === undefined) continue;
      this.memory.keys.set(stored.answer, entry.key);
      const times = entry.answer.rounds.map(({ reasoningMs }) => reasoningMs);
      if (times.some((time) => time !== undefined))
        this.memory.reasoningTimes.set(stored.answer, times);
      if (question !== undefined && stored.question !== undefined) {
        this.memory.keys.set(stored.question, question.id);
      }
    }
  }

  async #refresh(): Promise<void> {
    // One that is being read already may not have what was just stored.
    await queryClient.cancelQueries({ queryKey: conversationKeys.one(this.id) });
    await queryClient.fetchQuery({ ...conversationQuery(this.id), staleTime: 0, retry: false });
    await pageIsTold();
    void queryClient.invalidateQueries({ queryKey: conversationKeys.lists });
  }

  #chat(): Conversation {
    if (this.isTemporary) return readTemporary();
    const chat = queryClient.getQueryData<Conversation>(conversationKeys.one(this.id));
    if (chat === undefined) throw new Error("the chat is not loaded");
    return chat;
  }

  #change(job: Job, change: (answer: LiveAnswer) => LiveAnswer): void {
    job.entry = { ...job.entry, answer: change(job.entry.answer) };
    this.#schedule(() => this.#showJobs());
  }

  #showJobs(): void {
    const { turn } = this.#snapshot;
    if (turn !== undefined && this.#jobs.length > 0) {
      this.#update({ turn: { ...turn, entries: this.#jobs.map(({ entry }) => entry) } });
    }
  }

  /** Show a change now, or soon if the last one was just shown. */
  #schedule(show: () => void): void {
    this.#pending = show;
    if (this.#timer !== undefined) return;
    const wait = this.#shownAt + FRAME_MS - performance.now();
    if (wait <= 0) this.#flush();
    else this.#timer = setTimeout(() => this.#flush(), wait);
  }

  #pending: (() => void) | undefined;

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#shownAt = performance.now();
    const show = this.#pending;
    this.#pending = undefined;
    show?.();
  }

  #update(change: Partial<Snapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** Wait until views have the data that was just set, so that no message is missing in between. */
function pageIsTold(): Promise<void> {
  return new Promise((resolve) => notifyManager.schedule(resolve));
}

/** A hidden tab's title says that an answer is there, until the tab is seen. */
function announceEnd(title: string): void {
  if (!document.hidden) return;
  const before = document.title;
  document.title = `✓ ${title || "Answer ready"}`;
  document.addEventListener(
    "visibilitychange",
    () => {
      document.title = before;
    },
    { once: true },
  );
}
