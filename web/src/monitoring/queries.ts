/** What runs where: asked of the API without running the model. */
import { queryOptions } from "@tanstack/react-query";
import { call, type Reply } from "@/api/client";
import { ApiError } from "@/api/errors";

export type Status = Reply<"Status">;
export type Health = Reply<"Health">;

/** How often what is shown is looked up again. */
export const REFRESH_MS = 5_000;

/** Why a chat would not be answered now; null if it would be. */
export type Readiness = { problem: string | null };

export function status() {
  return queryOptions({
    queryKey: ["status"],
    queryFn: ({ signal }) => call("get", "/status", { signal }),
  });
}

export function readiness() {
  return queryOptions({
    queryKey: ["readiness"],
    queryFn: async ({ signal }): Promise<Readiness> => {
      try {
        await call("get", "/readyz", { signal });
      } catch (error) {
        // Not ready is an answer; no answer is an error.
        if (error instanceof ApiError && error.status === 503) return { problem: error.message };
        throw error;
      }
      return { problem: null };
    },
  });
}
