/** How the page is built: into dist/, which is committed and served by the API. */
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { bundleBudget } from "./build/budget.ts";
import { katexFonts } from "./build/katex-fonts.ts";
import { precompress } from "./build/precompress.ts";
import { themeScript } from "./build/theme-script.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const API = process.env.API_BASE_URL ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react(), tailwindcss(), katexFonts(), themeScript(), precompress(), bundleBudget()],
  resolve: {
    alias: {
      "@ungap/structured-clone": path("build/structured-clone.ts"),
      "aria-hidden": path("build/modal-parts.ts"),
      "react-remove-scroll": path("build/modal-parts.ts"),
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
        // The first load is one file, and so is what several pages add to it.
        codeSplitting: {
          groups: [
            { name: "index", tags: ["$initial"] },
            { name: "shared", test: /node_modules\/lucide-react\/|src\/components\// },
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
      "^/(?!app/|assets/|c/|src/|@|node_modules/|$).*": {
        target: API,
        changeOrigin: true,
        headers: { origin: API },
      },
    },
  },
  test: { include: ["src/**/*.test.{ts,tsx}", "build/**/*.test.ts"] },
});
