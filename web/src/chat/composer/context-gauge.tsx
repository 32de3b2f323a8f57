/** How full the context is with what is being typed, and the ways out before it overflows. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { useContext } from "react";
import { Button, buttonStyle } from "@/components/button";
import { Callout } from "@/components/callout";
import { modelList } from "@/models/queries";
import { useFormat } from "@/settings/format";
import { ChatContext } from "../chat-context";
import type { Message } from "../types";
import { type ContextUse, contextUse } from "./context-use";

/** From here on, the next message may no longer fit. */
const WARNING_SHARE = 0.8;

type Props = { branch: Message[]; model: string | null; draft: string };

export function ContextGauge({ branch, model, draft }: Props) {
  const isEmpty = branch.length === 0 && draft === "";
  const models = useQuery({ ...modelList, enabled: !isEmpty }).data?.data;
  const window = models?.find(({ id }) => id === model)?.smolchat.context_window;
  const use = contextUse(branch, draft, window ?? undefined);
  const isNearlyFull = use.size !== undefined && use.used / use.size >= WARNING_SHARE;
  return (
    <>
      {isNearlyFull ? <NearlyFull branch={branch} /> : null}
      <div className="mt-1.5 flex min-h-5 items-center justify-between gap-4 text-muted-foreground text-xs">
        <span>Small models make mistakes. Check important answers.</span>
        <Gauge use={use} />
      </div>
    </>
  );
}

function Gauge({ use: { used, size, isEstimated } }: { use: ContextUse }) {
  const { number } = useFormat();
  if (used === 0) return null;
  const about = isEstimated ? "≈" : "";
  if (size === undefined) {
    return (
      <span className="shrink-0">
        context {about}
        {number(used)} tokens
      </span>
    );
  }
  const share = Math.min(1, used / size);
  const text = share < 0.01 ? "<1%" : `${about}${Math.round(share * 100)}%`;
  return (
    <span
      className="flex shrink-0 items-center gap-2"
      title={`${about}${number(used)} of ${number(size)} tokens`}
    >
      context {text}
      {/* biome-ignore lint/a11y/useSemanticElements: Chromium draws a <meter> white in dark mode. */}
      <span
        role="meter"
        aria-label="Context used"
        aria-valuemin={0}
        aria-valuemax={1}
        aria-valuenow={share}
        aria-valuetext={text}
        className="h-1.5 w-16 overflow-hidden rounded-full bg-border"
      >
        <span
          className={clsx(
            "block h-full min-w-0.5 rounded-full",
            share < WARNING_SHARE ? "bg-muted-foreground" : "bg-primary",
          )}
          style={{ width: `${share * 100}%` }}
        />
      </span>
    </span>
  );
}

/** What a person can do before a message no longer fits. */
function NearlyFull({ branch }: { branch: Message[] }) {
  const chat = useContext(ChatContext);
  const questions = branch.filter(({ role }) => role === "user");
  const half = questions[Math.ceil(questions.length / 2)];
  return (
    <Callout
      kind="warning"
      className="mt-2"
      action={
        <>
          {chat !== undefined && half !== undefined ? (
            <Button size="sm" onClick={() => chat.actions.sendFrom(half)}>
              Drop the older half
            </Button>
          ) : null}
          <Link to="/" className={buttonStyle({ size: "sm" })}>
            New chat
          </Link>
        </>
      }
    >
      The context is nearly full: the next message may not fit.
    </Callout>
  );
}
