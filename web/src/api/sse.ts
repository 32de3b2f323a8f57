/** Server-sent events of a response, read as the standard defines their lines. */

/** No event of the API is longer; what is cannot be read and would fill the memory. */
const MAX_EVENT_CHARACTERS = 16_000_000;

/** Yield the `data` of each event. Comments, which only keep the line open, are skipped. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const parser = new EventParser();
  const reader = body.pipeThrough(new TextDecoderStream() as TextStage).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

// TypeScript's DOM types differ in the buffer that the two sides of the stream accept.
type TextStage = ReadableWritablePair<string, Uint8Array>;

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
