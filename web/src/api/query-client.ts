/** How long answers of the API are kept, and which requests are sent again. */
import { QueryClient } from "@tanstack/react-query";
import { ConnectionError } from "./errors";

const MAX_RETRIES = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // The API runs on this machine: it is asked whether or not there is a network.
      networkMode: "always",
      retry: (count, error) => error instanceof ConnectionError && count < MAX_RETRIES,
    },
    mutations: { networkMode: "always" },
  },
});
