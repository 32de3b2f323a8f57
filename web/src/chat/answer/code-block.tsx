/** Code in an answer: copied with one click, and colored once it is complete. */
import type { Element } from "hast";
import { Check, Copy } from "lucide-react";
import { lazy, Suspense } from "react";
import { useCopy } from "@/components/use-copy";

const MAX_COLORED_CHARACTERS = 20_000;

const ColoredCode = lazy(() => import("./colored-code"));

type Props = { node: Element | undefined; isGrowing?: boolean };

export function CodeBlock({ node, isGrowing = false }: Props) {
  const { code, language } = readCode(node);
  const isColored = !isGrowing && language !== "" && code.length <= MAX_COLORED_CHARACTERS;
  return (
    <figure className="code" dir="ltr">
      <figcaption>
        <span>{language || "text"}</span>
        <CopyButton text={code} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: wide code is scrolled by keys, too. */}
      <pre tabIndex={0}>
        <code>
          {isColored ? (
            <Suspense fallback={code}>
              <ColoredCode code={code} language={language} />
            </Suspense>
          ) : (
            code
          )}
        </code>
      </pre>
    </figure>
  );
}

function CopyButton({ text }: { text: string }) {
  const { isCopied, copy } = useCopy();
  return (
    <button type="button" onClick={() => copy(text)} aria-label="Copy code">
      {isCopied ? <Check aria-hidden /> : <Copy aria-hidden />}
      {isCopied ? "Copied" : "Copy"}
    </button>
  );
}

function readCode(node: Element | undefined): { code: string; language: string } {
  const code = node?.children.find((child) => child.type === "element");
  const names = code?.properties.className;
  const name = Array.isArray(names) ? String(names[0] ?? "") : "";
  const text = code?.children.map((child) => (child.type === "text" ? child.value : "")).join("");
  return { code: (text ?? "").replace(/\n$/, ""), language: name.replace(/^language-/, "") };
}
