/** Fails a build whose first load is too large, and prints what each chunk weighs. */
import { gzipSync } from "node:zlib";
import type { Plugin, Rolldown } from "vite";

/** kB of gzip: scripts and styles of the first load, and with its fonts. */
const MAX_KB = 230;
const MAX_KB_WITH_FONTS = 340;
const MAX_REQUESTS = 12;

type Output = Rolldown.OutputBundle[string];

export function bundleBudget(): Plugin {
  return {
    name: "bundle-budget",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const first = firstLoad(bundle);
      const isFont = (name: string) => name.endsWith(".woff2");
      const kB = sum(
        first.filter((name) => !isFont(name)),
        bundle,
      );
      const withFonts = sum(first, bundle);
      const sizes = Object.keys(bundle)
        .filter((name) => /\.(?:js|css)$/.test(name))
        .map((name) => ({ name, kB: size(bundle[name]), first: first.includes(name) }))
        .sort((one, other) => other.kB - one.kB);
      for (const { name, kB, first } of sizes) {
        this.info(`${kB.toFixed(1).padStart(7)} kB ${first ? "first" : "lazy "} ${name}`);
      }
      this.info(`first load: ${kB.toFixed(1)} kB gzip, ${withFonts.toFixed(1)} kB with fonts`);
      if (kB > MAX_KB || withFonts > MAX_KB_WITH_FONTS || first.length > MAX_REQUESTS) {
        this.error(`the first load is ${kB.toFixed(1)} kB in ${first.length} files: too large`);
      }
    },
  };
}

/** The entry, what it imports statically, and the styles and fonts of all of it. */
function firstLoad(bundle: Rolldown.OutputBundle): string[] {
  const names = new Set<string>();
  const visit = (name: string) => {
    const output = bundle[name];
    if (output === undefined || names.has(name)) return;
    names.add(name);
    if (output.type !== "chunk") return;
    output.imports.forEach(visit);
    const { importedCss = [], importedAssets = [] } = output.viteMetadata ?? {};
    for (const asset of [...importedCss, ...importedAssets]) names.add(asset);
  };
  for (const output of Object.values(bundle)) {
    if (output.type === "chunk" && output.isEntry) visit(output.fileName);
  }
  return [...names];
}

function sum(names: string[], bundle: Rolldown.OutputBundle): number {
  return names.reduce((total, name) => total + size(bundle[name]), 0);
}

function size(output: Output | undefined): number {
  if (output === undefined) return 0;
  const content = output.type === "chunk" ? output.code : output.source;
  const isCompressed = output.fileName.endsWith(".woff2");
  return (isCompressed ? content.length : gzipSync(content, { level: 9 }).length) / 1000;
}
