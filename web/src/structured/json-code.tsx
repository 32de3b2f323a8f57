/** JSON as colored text, copied with one click. */
import { Check, Copy } from "lucide-react";
import { lazy, Suspense } from "react";
import { Button } from "@/components/button";
import { useCopy } from "@/components/use-copy";

/** Coloring more would hold up the page. */
const MAX_COLORED_CHARACTERS = 20_000;

const ColoredCode = lazy(() => import("@/chat/answer/colored-code"));

type Props = { text: string; label: string; isColored?: boolean };

export function JsonCode({ text, label, isColored = true }: Props) {
  const { isCopied, copy } = useCopy();
  return (
    <figure className="relative rounded-md bg-code" dir="ltr" aria-label={label}>
      <Button
        size="sm"
        variant="ghost"
        className="absolute end-1 top-1 bg-code"
        onClick={() => copy(text)}
      >
        {isCopied ? <Check aria-hidden /> : <Copy aria-hidden />}
        {isCopied ? "Copied" : "Copy"}
      </Button>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long code is scrolled by keys, too. */}
      <pre tabIndex={0} className="code max-h-96 overflow-auto p-3 pe-24 text-sm">
        <code className="whitespace-pre-wrap font-mono [overflow-wrap:anywhere]">
          {isColored && text.length <= MAX_COLORED_CHARACTERS ? (
            <Suspense fallback={text}>
              <ColoredCode code={text} language="json" />
            </Suspense>
          ) : (
            text
          )}
        </code>
      </pre>
    </figure>
  );
}
