/** Follows the answers of a chat that another tab, or this one before a reload, has asked for. */
import { send } from "@/api/client";
import { ApiError } from "@/api/errors";
import { readEvents } from "@/api/sse";
import { addEvent, isOver, type LiveAnswer, newAnswer } from "./answer/live-answer";
import { withWatchSlot } from "./watch-slot";

/** After the API was lost. */
const AGAIN_MS = 3_000;
/** While too many tabs are watching. */
const POLL_MS = 10_000;

export type Answers = ReadonlyMap<string, LiveAnswer>;

type Hooks = {
  /** Read the chat again. */
  refresh: () => Promise<void>;
  isKnown: (message: string) => boolean;
  show: (answers: Answers) => void;
};

export class ChatWatcher {
  readonly #url: string;
  readonly #hooks: Hooks;
  #connection: AbortController | undefined;
  #isWanted = false;
  /** This tab reads its own answers, which come twice otherwise. */
  #isPaused = false;
  /** What is shown is from a connection that was lost, and the chat could not be read since. */
  #isOutdated = false;

  constructor(chat: string, hooks: Hooks) {
    this.#url = `/conversations/${encodeURIComponent(chat)}/events?wait=true`;
    this.#hooks = hooks;
  }

  start(): void {
    this.#isWanted = true;
    this.#connect();
  }

  stop(): void {
    this.#isWanted = false;
    this.#connection?.abort();
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.abort();
  }

  resume(): void {
    this.#isPaused = false;
    this.#connect();
  }

  #connect(): void {
    if (this.#isWanted && !this.#isPaused && this.#connection === undefined) void this.#watch();
  }

  async #watch(): Promise<void> {
    const connection = new AbortController();
    this.#connection = connection;
    let isRefused = false;
    const hasWatched = await withWatchSlot(async () => {
      isRefused = await this.#readEvents(connection.signal);
    });
    this.#connection = undefined;
    if (connection.signal.aborted) {
      this.#connect(); // it was wanted again meanwhile
      return;
    }
    if (isRefused) return;
    setTimeout(
      () => {
        if (!this.#isWanted || this.#isPaused) return;
        if (!hasWatched) this.#hooks.refresh().catch(() => undefined);
        this.#connect();
      },
      hasWatched ? AGAIN_MS : POLL_MS,
    );
  }

  /** Read what is written until that ends; return true if the API refuses to tell. */
  async #readEvents(signal: AbortSignal): Promise<boolean> {
    const answers = new Map<string, LiveAnswer>();
    try {
      const response = await send(this.#url, { signal });
      if (this.#isOutdated) await this.#showStored();
      if (response.body !== null) {
        for await (const events of readEvents(response.body)) {
          for (const data of events) await this.#add(answers, data);
          this.#hooks.show(new Map(answers));
        }
      }
      return false;
    } catch (error) {
      return error instanceof ApiError && error.status < 500;
    } finally {
      if (answers.size > 0) await this.#showStored().catch(() => undefined);
    }
  }

  /** Show what is stored in place of what was followed, which stays if that cannot be read. */
  async #showStored(): Promise<void> {
    this.#isOutdated = true;
    await this.#hooks.refresh();
    this.#isOutdated = false;
    this.#hooks.show(new Map());
  }

  async #add(answers: Map<string, LiveAnswer>, data: string): Promise<void> {
    const id = eventId(data);
    if (id === undefined) return;
    // It comes first, and again where all of the answer is told once more.
    const isBegin = data.includes('"answer_message"');
    const before = (isBegin ? undefined : answers.get(id)) ?? newAnswer(performance.now());
    const answer = addEvent(before, data, performance.now());
    answers.set(id, answer);
    if ((isBegin && !this.#hooks.isKnown(id)) || isOver(answer)) await this.#hooks.refresh();
    if (isOver(answer)) answers.delete(id);
  }
}

function eventId(data: string): string | undefined {
  try {
    const { id } = JSON.parse(data);
    return typeof id === "string" ? id : undefined;
  } catch {
    return undefined; // [DONE]
  }
}
