/** How confident the model was of each token, and what else it could have been. */
import { clsx } from "clsx";
import { Popover } from "radix-ui";
import { useState } from "react";
import { usePortal } from "@/components/portal";
import type { TokenLogprob } from "../types";

/** More would make the page slow. */
const MAX_TOKENS = 2000;

const LEVELS = [
  { from: 0.9, name: "certain", style: "" },
  { from: 0.6, name: "likely", style: "bg-success" },
  { from: 0.3, name: "uncertain", style: "bg-warning" },
  { from: 0, name: "guess", style: "bg-destructive" },
] as const;

export default function TokenProbabilities({ tokens }: { tokens: TokenLogprob[] }) {
  const [open, setOpen] = useState<number>();
  const shown = tokens.slice(0, MAX_TOKENS);
  return (
    <div>
      <p className="mb-2 text-muted-foreground text-sm">
        How confident the model was. Hover or tap a token for alternatives.
      </p>
      <ul className="mb-3 flex flex-wrap gap-2 text-xs">
        {LEVELS.map(({ from, name, style }) => (
          <li key={name} className={clsx("rounded-md border px-1.5 py-0.5", style)}>
            {name} {from > 0 ? `≥ ${from * 100}%` : "< 30%"}
          </li>
        ))}
      </ul>
      <p className="whitespace-pre-wrap leading-7 [overflow-wrap:anywhere]" dir="auto">
        {shown.map((token, index) => (
          <Token
            // biome-ignore lint/suspicious/noArrayIndexKey: tokens have no other name than their place.
            key={index}
            token={token}
            isOpen={open === index}
            onOpen={(isOpen) => setOpen(isOpen ? index : undefined)}
          />
        ))}
      </p>
      {tokens.length > MAX_TOKENS ? (
        <p className="mt-2 text-muted-foreground text-sm">
          The first {MAX_TOKENS} of {tokens.length} tokens
        </p>
      ) : null}
    </div>
  );
}

type TokenProps = { token: TokenLogprob; isOpen: boolean; onOpen: (isOpen: boolean) => void };

/** Only the open token has a popover: two thousand of them would make the page slow. */
function Token({ token, isOpen, onOpen }: TokenProps) {
  const container = usePortal();
  const probability = Math.exp(Math.min(0, token.logprob));
  const level = LEVELS.find(({ from }) => probability >= from);
  const text = (
    // A button would be a box that no line breaks.
    // biome-ignore lint/a11y/useSemanticElements: see above.
    <span
      role="button"
      tabIndex={0}
      className={clsx("cursor-default rounded-sm hover:underline", level?.style)}
      onPointerEnter={(event) => event.pointerType === "mouse" && onOpen(true)}
      onPointerLeave={(event) => event.pointerType === "mouse" && onOpen(false)}
      onFocus={() => onOpen(true)}
      onBlur={() => onOpen(false)}
      aria-label={`${JSON.stringify(token.token)}, ${percent(probability)}`}
    >
      {token.token}
    </span>
  );
  if (!isOpen) return text;
  return (
    <Popover.Root open>
      <Popover.Anchor asChild>{text}</Popover.Anchor>
      <Popover.Portal container={container}>
        <Popover.Content
          sideOffset={4}
          onOpenAutoFocus={(event) => event.preventDefault()}
          onCloseAutoFocus={(event) => event.preventDefault()}
          aria-label="Alternatives"
          className="z-50 rounded-md border bg-popover p-2 font-mono text-xs shadow-lg"
        >
          <Alternatives token={token} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Alternatives({ token }: { token: TokenLogprob }) {
  const alternatives = token.top_logprobs?.length ? token.top_logprobs : [token];
  return (
    <ul className="grid grid-cols-[auto_auto] gap-x-4 gap-y-0.5">
      {alternatives.map(({ token: text, logprob }) => (
        <li key={text} className="contents">
          <span className={text === token.token ? "font-bold" : ""}>{JSON.stringify(text)}</span>
          <span className="text-end">{percent(Math.exp(Math.min(0, logprob)))}</span>
        </li>
      ))}
    </ul>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
