/** The only code that calls the API: requests whose paths, fields and results are its own types. */
import { authorization, requestKey } from "./access";
import { ConnectionError, isAbort, readError } from "./errors";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
/** A reply has all fields, also those that have a default in a request. */
export type Reply<Name extends keyof Schemas> = Complete<Schemas[Name]>;

type Complete<T> = T extends (infer Item)[]
  ? Complete<Item>[]
  : T extends object
    ? { [Name in keyof T]-?: Complete<Exclude<T[Name], undefined>> }
    : T;

type Method = "get" | "post" | "put" | "patch" | "delete";
type PathWith<M extends Method> = {
  [P in keyof paths]: paths[P][M & keyof paths[P]] extends object ? P : never;
}[keyof paths];
type Operation<M extends Method, P extends keyof paths> = NonNullable<paths[P][M & keyof paths[P]]>;

type Json<Content> = Content extends { "application/json": infer Body } ? Body : never;
type Parameter<O, Kind extends string> = O extends { parameters: infer Parameters }
  ? Kind extends keyof Parameters
    ? NonNullable<Parameters[Kind]>
    : never
  : never;
type Body<O> = O extends { requestBody?: infer R }
  ? NonNullable<R> extends { content: infer Content }
    ? Json<Content>
    : never
  : never;
type Result<O> = O extends { responses: infer Responses }
  ? {
      [Status in keyof Responses]: Responses[Status] extends { content: infer Content }
        ? Complete<Json<Content>>
        : undefined;
    }[keyof Responses]
  : never;

type Field<Name extends string, Value> = [Value] extends [never]
  ? { [N in Name]?: undefined }
  : { [N in Name]?: Value };
export type Options<O> = Field<"path", Parameter<O, "path">> &
  Field<"query", Parameter<O, "query">> &
  Field<"body", Body<O>> & { signal?: AbortSignal | undefined };

/**
 * Ask the API and return its JSON.
 *
 * @throws ApiError it refused; ConnectionError no answer came; an abort of `signal`.
 */
export async function call<M extends Method, P extends PathWith<M>>(
  method: M,
  path: P,
  options: Options<Operation<M, P>> = {},
): Promise<Result<Operation<M, P>>> {
  const { path: values, query, body, signal } = options;
  const response = await send(address(path, values, query), {
    method: method.toUpperCase(),
    ...(body === undefined ? {} : jsonBody(body)),
    signal: signal ?? null,
  });
  if (response.status === 204) return undefined as Result<Operation<M, P>>;
  return await readJson(response);
}

/** Send a request with the key, and return the response if its status is a success. */
export async function send(url: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, headers: { ...init.headers, ...authorization() } });
  } catch (error) {
    throw isAbort(error) ? error : new ConnectionError();
  }
  if (response.ok) return response;
  if (response.status === 401) requestKey();
  throw await readError(response);
}

export function jsonBody(body: unknown): RequestInit {
  return { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

async function readJson<T>(response: Response): Promise<T> {
  try {
    return await response.json();
  } catch (error) {
    throw isAbort(error)
      ? error
      : new ConnectionError("The connection to the API was lost. Try again.");
  }
}

/** Fill in a path like `/conversations/{conversation}` and add the query. */
export function address(path: string, values: object = {}, query: object = {}): string {
  const named: Record<string, unknown> = { ...values };
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(named[name])),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null) search.append(name, String(item));
    }
  }
  return search.size > 0 ? `${filled}?${search}` : filled;
}
