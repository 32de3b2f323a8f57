/** Leaves out the older formats of KaTeX's fonts, which no browser that runs the page loads. */
import type { Plugin } from "vite";

const OLDER_FORMAT = /,\s*url\([^)]+\.(?:woff|ttf)\) format\("[^"]+"\)/g;

export function katexFonts(): Plugin {
  return {
    name: "katex-fonts",
    enforce: "pre",
    transform(code, id) {
      return id.includes("katex.css") ? code.replace(OLDER_FORMAT, "") : undefined;
    },
  };
}
