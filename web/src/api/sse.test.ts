import { beforeEach, describe, expect, it, vi } from "vitest";
import { EventParser, readEvents } from "./sse";

const TEXT =
  ': hi\n\ndata: {"a": 1}\r\n\r\ndata:first\ndata: second\r\revent: x\ndata: \u2028line\n\nid: 1\n\n';
const EVENTS = ['{"a": 1}', "first\nsecond", "\u2028line"];

describe("EventParser", () => {
  it("reads the same events wherever the text is cut", () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const parser = new EventParser();
      const events: string[] = [];
      for (let at = 0; at < TEXT.length; at += size) {
        events.push(...parser.push(TEXT.slice(at, at + size)));
      }
      expect(events, `cut every ${size}`).toEqual(EVENTS);
    }
  });

  it("drops an event that does not end", () => {
    expect(new EventParser().push("data: a\n\ndata: b\n")).toEqual(["a"]);
  });

  it("refuses an event without an end", () => {
    const parser = new EventParser();
    const megabyte = `data: ${"x".repeat(1_000_000)}\n`;
    expect(() => {
      for (let count = 0; count < 20; count++) parser.push(megabyte);
    }).toThrow("too large");
  });
});

describe("readEvents", () => {
  // A hidden page reads without a pause.
  beforeEach(() => vi.stubGlobal("document", { hidden: true }));

  it("decodes characters that are cut by the network", async () => {
    const bytes = new TextEncoder().encode("data: 🦊é\n\n");
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    expect(await Array.fromAsync(readEvents(body))).toEqual([["🦊é"]]);
  });

  it("yields at once what came together, and soon what comes alone", async () => {
    vi.stubGlobal("document", { hidden: false });
    const encoder = new TextEncoder();
    let more: (text: string) => void = () => undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        more = (text) => controller.enqueue(encoder.encode(`data: ${text}\n\n`));
      },
    });
    const events = readEvents(body);
    for (const text of ["a", "b", "c"]) more(text);
    expect((await events.next()).value).toEqual(["a", "b", "c"]);
    for (const text of ["d", "e", "f", "g"]) {
      more(text);
      expect((await events.next()).value).toEqual([text]);
    }
    const next = events.next(); // it waits, as four came fast
    for (const text of ["h", "i"]) more(text);
    expect((await next).value).toEqual(["h", "i"]);
  });

  it("throws the error of a body that breaks while nothing is read", async () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("data: x\n\n"));
        setTimeout(() => controller.error(new TypeError("network error")), 5);
      },
    });
    const events = readEvents(body);
    await events.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(events.next()).rejects.toThrow("network error");
  });

  it("cancels the body when its reader stops", async () => {
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("data: x\n\n")),
      cancel: () => {
        isCancelled = true;
      },
    });
    for await (const _ of readEvents(body)) break;
    expect(isCancelled).toBe(true);
  });
});
