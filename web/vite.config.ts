/** How the page is built: into dist/, which is committed and served by the API. */
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { bundleBudget } from "./build/budget.ts";
import { katexFonts } from "./build/katex-fonts.ts";
import { precompress } from "./build/precompress.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const API = process.env.API_BASE_URL ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react(), tailwindcss(), katexFonts(), precompress(), bundleBudget()],
  resolve: {
    alias: {
      "@ungap/structured-clone": path("build/structured-clone.ts"),
      "@": path("src"),
    },
  },
  build: {
    target: "es2023",
    // The policy of the page allows no data: fonts and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // What every page has is one file, not one for each set of pages that shares it.
        codeSplitting: {
          groups: [
            {
              name: "base",
              test: /node_modules\/(?:clsx|react|@tanstack\/(?:react-query|query-core))\/|src\/(?:api|components)\//,
            },
          ],
        },
        // A page of a feature is named after its folder.
        chunkFileNames: ({ name, facadeModuleId }) =>
          `assets/${name === "page" ? facadeModuleId?.split("/").at(-2) : name}-[hash].js`,
      },
    },
  },
  server: {
    // `npm run dev`: whatever is not the page's own is asked from a running API.
    proxy: {
      "^/(?!app/|assets/|c/|src/|@|node_modules/|theme\\.js|favicon\\.svg|$).*": {
        target: API,
        changeOrigin: true,
        headers: { origin: API },
      },
    },
  },
  test: { include: ["src/**/*.test.{ts,tsx}", "build/**/*.test.ts"] },
});
