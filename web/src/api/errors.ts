/** What can go wrong with a request, in the API's words. */
import type { components } from "./schema";

type ErrorDetail = components["schemas"]["ErrorDetail"];

/** The API answered with an error, or sent one in a stream. */
export class ApiError extends Error {
  override name = "ApiError";
  /** 0 for an error that came in a stream. */
  readonly status: number;
  readonly code: string;
  readonly param: string | undefined;
  readonly requestId: string | undefined;
  /** All fields of the error: some have more than these. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(detail: Partial<ErrorDetail>, status = 0, requestId?: string) {
    super(detail.message || "The API reported an error without a message.");
    this.status = status;
    this.code = typeof detail.code === "string" ? detail.code : "unknown";
    this.param = detail.param ?? undefined;
    this.requestId = requestId;
    this.details = { ...detail };
  }
}

/** No answer came, or it ended before it was complete. */
export class ConnectionError extends Error {
  override name = "ConnectionError";

  constructor(message = "Can't reach the SmolChat API. Check that it is running, then try again.") {
    super(message);
  }
}

/** A request that the page itself ended. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Read the error of a failed response. */
export async function readError(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const body: unknown = await response.json().catch(() => null);
  const detail = errorDetail(body) ?? {
    message: `The API answered with status ${response.status}.`,
  };
  return new ApiError(detail, response.status, requestId);
}

/** Return the `error` object of a body or an event, if it is one. */
export function errorDetail(body: unknown): Partial<ErrorDetail> | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  if (typeof error === "string") return { message: error };
  return typeof error === "object" && error !== null ? (error as Partial<ErrorDetail>) : {};
}
