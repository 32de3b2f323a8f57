/** Server-sent events of a response, read as the standard defines their lines. */

/** No event of the API is longer; what is cannot be read and would fill the memory. */
const MAX_EVENT_CHARACTERS = 16_000_000;

/**
 * Between two readings. What arrives meanwhile is read at once: token by token, the page would be
 * busy with showing it. What comes more slowly, or first, is not held up.
 */
const READ_MS = 75;
/** Between two readings of an answer that comes faster than anyone reads. */
const FAST_READ_MS = 150;
const FAST_EVENTS = 5;
const UNHURRIED_READS = 3;
/** For how long what has come already is read before it is shown. */
const TOGETHER_MS = 10;

/** Yield the `data` of the events that came together. Comments, which keep the line open, are skipped. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string[]> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  const read = () => {
    const next = reader.read();
    next.catch(() => undefined); // an error is thrown where it is awaited
    return next;
  };
  let next = read();
  let hurried = 0;
  try {
    for (;;) {
      const askedAt = performance.now();
      let piece: Awaited<typeof next> | undefined = await next;
      const readAt = performance.now();
      hurried = readAt - askedAt < READ_MS ? hurried + 1 : 0;
      const events: string[] = [];
      while (piece?.done === false) {
        events.push(...parser.push(decoder.decode(piece.value, { stream: true })));
        next = read();
        // Some browsers give all that came meanwhile at once, others piece by piece.
        piece = await ifSoon(next, readAt + TOGETHER_MS);
      }
      if (events.length > 0) yield events;
      if (piece?.done) return;
      if (hurried > UNHURRIED_READS) await pause(readAt + pauseAfter(events) - performance.now());
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function pauseAfter(events: string[]): number {
  return events.length > FAST_EVENTS ? FAST_READ_MS : READ_MS;
}

/** Return what is there without waiting, unless it is late already. */
async function ifSoon<T>(next: Promise<T>, latest: number): Promise<T | undefined> {
  return performance.now() < latest ? Promise.race([next, pause(0)]) : undefined;
}

/** Wait, unless the page is hidden: there, timers may take a minute. */
function pause(milliseconds: number): Promise<undefined> | undefined {
  if (milliseconds < 0 || document.hidden) return undefined;
  return new Promise((resolve) => setTimeout(() => resolve(undefined), milliseconds));
}

/** Cuts text that arrives in any pieces into events. */
export class EventParser {
  #rest = "";
  #data: string[] = [];
  #size = 0;

  push(text: string): string[] {
    const events: string[] = [];
    let buffer = this.#rest + text;
    if (buffer.length + this.#size > MAX_EVENT_CHARACTERS) {
      throw new Error("The API sent an event that is too large to be read.");
    }
    // A CR at the end may be the first half of a line's end.
    const held = buffer.endsWith("\r") ? "\r" : "";
    buffer = held ? buffer.slice(0, -1) : buffer;
    const lines = buffer.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + held;
    for (const line of lines) this.#line(line, events);
    return events;
  }

  #line(line: string, events: string[]): void {
    if (line === "") {
      if (this.#data.length > 0) events.push(this.#data.join("\n"));
      this.#data = [];
      this.#size = 0;
    } else if (line.startsWith("data:")) {
      const value = line.slice(line[5] === " " ? 6 : 5);
      this.#data.push(value);
      this.#size += value.length;
    }
  }
}
