/**
 * Adds the script that sets the theme before the first paint. The build of a page bundles only
 * modules, which run later; so the script gets its place among the hashed files here.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

const SOURCE = "/src/theme/theme.js";

export function themeScript(): Plugin {
  const source = readFileSync(new URL(`..${SOURCE}`, import.meta.url));
  const hash = createHash("sha256").update(source).digest("base64url").slice(0, 8);
  const fileName = `assets/theme-${hash}.js`;
  return {
    name: "theme-script",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName, source });
    },
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replace(SOURCE, `/${fileName}`),
    },
  };
}
