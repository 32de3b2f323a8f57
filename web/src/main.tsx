/** The entry: the page's styles, its data and its routes. */
import "./theme/theme.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/query-client";
import { router } from "./routes/router";

// A newer build has replaced the files of this one.
addEventListener("vite:preloadError", () => {
  // While the API is away, the page that is there is better than none.
  const reload = (response: Response) => response.ok && location.reload();
  fetch("/healthz").then(reload, () => undefined);
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <Tooltip.Provider delayDuration={400}>
        <RouterProvider router={router} />
      </Tooltip.Provider>
    </QueryClientProvider>
  </StrictMode>,
);
