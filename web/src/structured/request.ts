/** What is sent to `/structured`, and the events of its stream. */
import { jsonBody, type Reply, send } from "@/api/client";
import { ApiError, ConnectionError, errorDetail } from "@/api/errors";
import { readEvents } from "@/api/sse";
import type { Schema } from "./schema-text";

export type StructuredReply = Reply<"StructuredResponse">;
export type Attempt = Reply<"Attempt">;
export type Sent = Reply<"PromptSent">;
export type Rule = Reply<"Unenforced">;

/** A JSON Schema, custom or registered with the API under a name. */
export type Target = { schema: Schema; name?: string | undefined };

export type Inputs = {
  target: Target;
  prompt: string;
  model: string | null;
  parameters: Record<string, unknown>;
  requiresMentioned: boolean;
};

export type Progress = { phase?: string; position?: number | null; fraction?: number | null };

export type StructuredEvent = {
  partial?: unknown;
  attempt?: number;
  smolchat?: { progress?: Progress };
  result?: StructuredReply;
};

export function responseFormat({ schema, name }: Target) {
  return { type: "json_schema", json_schema: { name: name ?? "answer", schema, strict: true } };
}

export function targetFields(target: Target): Record<string, unknown> {
  if (target.name !== undefined) return { response_type: target.name };
  return { response_format: responseFormat(target) };
}

export function fieldsOption(requiresMentioned: boolean) {
  return { fields: requiresMentioned ? "mentioned" : "schema" };
}

export function structuredRequest(inputs: Inputs): Record<string, unknown> {
  return {
    messages: [{ role: "user", content: inputs.prompt.trim() }],
    ...(inputs.model === null ? {} : { model: inputs.model }),
    ...inputs.parameters,
    ...targetFields(inputs.target),
    smolchat: { progress: true, ...fieldsOption(inputs.requiresMentioned) },
  };
}

/**
 * Yield the events of one run; the last one has the result.
 *
 * @throws ApiError it failed; ConnectionError it broke off; an abort of `signal`.
 */
export async function* streamStructured(
  inputs: Inputs,
  signal: AbortSignal,
): AsyncGenerator<StructuredEvent> {
  const body = jsonBody({ ...structuredRequest(inputs), stream: true });
  const response = await send("/structured", { method: "POST", ...body, signal });
  if (response.body === null) throw new ConnectionError();
  let isComplete = false;
  for await (const events of readEvents(response.body)) {
    for (const data of events) {
      if (data === "[DONE]") break;
      const event: unknown = JSON.parse(data);
      const error = errorDetail(event);
      if (error !== undefined) throw new ApiError(error);
      isComplete ||= typeof event === "object" && event !== null && "result" in event;
      yield event as StructuredEvent;
    }
  }
  if (!isComplete) throw new ConnectionError("The output broke off. Try again.");
}
