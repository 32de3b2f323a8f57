/** One structured output at a time: started, stopped, and shown as it grows. */
import { useEffect, useRef, useState } from "react";
import { isAbort } from "@/api/errors";
import { type Inputs, type Progress, type StructuredReply, streamStructured } from "./request";

export type Run = {
  inputs: Inputs;
  state: "active" | "finished" | "stopped" | "failed";
  progress?: Progress | undefined;
  attempt: number;
  /** The value so far; undefined before anything of it is certain. */
  partial?: unknown;
  reply?: StructuredReply;
  error?: unknown;
  seconds?: number;
};

export type RunHandle = { run: Run | undefined; start: (inputs: Inputs) => void; stop: () => void };

export function useRun(): RunHandle {
  const [run, setRun] = useState<Run>();
  const controller = useRef<AbortController>(undefined);
  useEffect(() => () => controller.current?.abort(), []);

  const start = (inputs: Inputs) => {
    controller.current?.abort();
    const current = new AbortController();
    controller.current = current;
    void generate(inputs, current.signal, (next) => {
      if (controller.current === current) setRun(next);
    });
  };
  return { run, start, stop: () => controller.current?.abort() };
}

async function generate(
  inputs: Inputs,
  signal: AbortSignal,
  show: (run: Run) => void,
): Promise<void> {
  const startedAt = performance.now();
  let run: Run = { inputs, state: "active", attempt: 1 };
  show(run);
  try {
    for await (const event of streamStructured(inputs, signal)) {
      run = {
        ...run,
        attempt: event.attempt ?? run.attempt,
        progress: event.smolchat?.progress ?? run.progress,
        ...("partial" in event ? { partial: event.partial } : {}),
        ...(event.result === undefined ? {} : { reply: event.result }),
      };
      show(run);
    }
    run = { ...run, state: "finished" };
  } catch (error) {
    run = { ...run, state: isAbort(error) ? "stopped" : "failed", error };
  }
  show({ ...run, seconds: (performance.now() - startedAt) / 1000 });
}
