/** Runs the methods in turn, so that a stopped benchmark has as many trials of each. */
import { useEffect, useRef, useState } from "react";
import { jsonBody, send } from "@/api/client";
import { ApiError, errorMessage, isAbort } from "@/api/errors";
import {
  chatOutput,
  type Method,
  type Outcome,
  type Output,
  structuredOutput,
  type Trial,
  trialRequest,
} from "./benchmark";
import type { Inputs } from "./request";
import type { Judge } from "./validate";

const GENERATION_ERRORS = new Set(["output_truncated", "validation_failed"]);
/** All methods would have these, so they end the benchmark. Any other one is a method's own. */
const SHARED_ERRORS = new Set([
  "invalid_api_key",
  "host_not_allowed",
  "model_not_found",
  "model_server_unreachable",
  "model_loading",
  "not_ready",
  "shutting_down",
]);

export type Plan = { inputs: Inputs; methods: Method[]; repetitions: number };

export type Benchmark = {
  plan: Plan;
  trials: Trial[];
  state: "active" | "finished" | "stopped" | "failed";
  error?: unknown;
};

export function useBenchmark() {
  const [benchmark, setBenchmark] = useState<Benchmark>();
  const controller = useRef<AbortController>(undefined);
  useEffect(() => () => controller.current?.abort(), []);

  const start = (plan: Plan) => {
    controller.current?.abort();
    const current = new AbortController();
    controller.current = current;
    void runTrials(plan, current.signal, (next) => {
      if (controller.current === current) setBenchmark(next);
    });
  };
  return { benchmark, start, stop: () => controller.current?.abort() };
}

async function runTrials(
  plan: Plan,
  signal: AbortSignal,
  show: (benchmark: Benchmark) => void,
): Promise<void> {
  const trials: Trial[] = [];
  show({ plan, trials: [], state: "active" });
  try {
    const { judgeOf } = await import("./validate");
    const judge = judgeOf(plan.inputs.target.schema);
    for (let number = 1; number <= plan.repetitions; number += 1) {
      for (const method of plan.methods) {
        trials.push(await runTrial(plan.inputs, method, number, judge, signal));
        show({ plan, trials: [...trials], state: "active" });
      }
    }
    show({ plan, trials, state: "finished" });
  } catch (error) {
    show({ plan, trials, state: isAbort(error) ? "stopped" : "failed", error });
  }
}

async function runTrial(
  inputs: Inputs,
  method: Method,
  number: number,
  judge: Judge,
  signal: AbortSignal,
): Promise<Trial> {
  const startedAt = performance.now();
  const result = await sendTrial(inputs, method, number, signal);
  const seconds = (performance.now() - startedAt) / 1000;
  const fault = result.error ?? judge(result.text) ?? "";
  const { text, finish_reason, attempts, completion_tokens } = result;
  const cut = finish_reason === "length" ? "truncated" : "invalid";
  const outcome = fault === "" ? "valid" : (result.outcome ?? cut);
  return {
    method,
    number,
    outcome,
    seconds,
    fault,
    text,
    finish_reason,
    attempts,
    completion_tokens,
  };
}

type Result = Output & { error?: string; outcome?: Outcome };

async function sendTrial(
  inputs: Inputs,
  method: Method,
  number: number,
  signal: AbortSignal,
): Promise<Result> {
  const { path, body } = trialRequest(inputs, method, number);
  try {
    const response = await send(path, { method: "POST", ...jsonBody(body), signal });
    const reply = await response.json();
    return method === "SmolChat" ? structuredOutput(reply) : chatOutput(reply);
  } catch (error) {
    if (!(error instanceof ApiError) || SHARED_ERRORS.has(error.code)) throw error;
    return failedOutput(error);
  }
}

function failedOutput(error: ApiError): Result {
  const { text, attempts, type } = error.details;
  const made = Array.isArray(attempts) ? attempts : [];
  const output: Result = {
    text: typeof text === "string" ? text : "",
    finish_reason: made.at(-1)?.finish_reason ?? null,
    attempts: made.length || 1,
    completion_tokens: null,
    error: errorMessage(error),
  };
  if (GENERATION_ERRORS.has(error.code)) return output;
  return { ...output, outcome: type === "invalid_request_error" ? "refused" : "failed" };
}
