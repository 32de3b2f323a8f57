/** How full the context is, and a note that models make mistakes. */
import { useQuery } from "@tanstack/react-query";
import { modelList } from "@/models/queries";
import type { Message, Receipt } from "../types";

/** From here on, the next message may no longer fit. */
const WARNING_SHARE = 0.8;

export function ContextGauge({ branch, model }: { branch: Message[]; model: string | null }) {
  const models = useQuery(modelList).data?.data;
  const receipt = branch.findLast((message) => message.receipt !== null)?.receipt as
    | Receipt
    | null
    | undefined;
  const size =
    receipt?.context_size ?? models?.find(({ id }) => id === model)?.smolchat.context_window;
  const used = receipt?.context_tokens;
  return (
    <div className="mt-1.5 flex min-h-5 items-center justify-between gap-4 text-muted-foreground text-xs">
      <span>Small models make mistakes. Check important answers.</span>
      {used && size ? <Gauge used={used} size={size} /> : null}
    </div>
  );
}

function Gauge({ used, size }: { used: number; size: number }) {
  const share = Math.min(1, used / size);
  const text = share < 0.01 ? "<1%" : `${Math.round(share * 100)}%`;
  return (
    <span className="flex shrink-0 items-center gap-2" title={`${used} of ${size} tokens`}>
      context {text}
      <meter
        aria-label="Context used"
        min={0}
        max={1}
        low={WARNING_SHARE}
        high={0.95}
        optimum={0}
        value={share}
        className="h-1.5 w-16"
      />
    </span>
  );
}
