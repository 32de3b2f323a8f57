/** The schemas that are registered with the API. */
import { queryOptions } from "@tanstack/react-query";
import { call, type Reply } from "@/api/client";

export type ResponseType = Reply<"ResponseType">;

export const responseTypes = queryOptions({
  queryKey: ["response-types"],
  queryFn: async ({ signal }) => (await call("get", "/structured/types", { signal })).data,
  staleTime: Number.POSITIVE_INFINITY,
});
