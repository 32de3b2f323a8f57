/** The models of the model server, and what state it is in. */
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";

const POLL_MS = 5_000;

export const modelList = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => call("get", "/models", { signal }),
  staleTime: 60_000,
});

/** Asked again and again while the model cannot answer yet. */
export const health = queryOptions({
  queryKey: ["health"],
  queryFn: ({ signal }) => call("get", "/healthz", { signal }),
  refetchInterval: ({ state }) =>
    state.data?.model_server.state === "ready" && state.status !== "error" ? 60_000 : POLL_MS,
});
