/** A tool: what it does, and whether it may run. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId } from "react";
import { ErrorCallout } from "@/components/callout";
import { RadioPill } from "@/components/radio-pill";
import { JsonCode } from "@/structured/json-code";
import { type Approval, setApproval, type Tool, toolList } from "./queries";

const APPROVALS: [Approval, string][] = [
  ["ask", "Ask first"],
  ["always", "Always allow"],
  ["never", "Never"],
];

export function ToolCard({ tool }: { tool: Tool }) {
  return (
    <li className="flex flex-col gap-2 rounded-lg border px-4 py-3">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <h4 className="min-w-0 font-heading text-lg [overflow-wrap:anywhere]" dir="auto">
          {tool.title || tool.name}
        </h4>
        <code className="font-mono text-muted-foreground text-sm [overflow-wrap:anywhere]">
          {tool.name}
        </code>
      </div>
      {tool.description ? (
        <p className="whitespace-pre-line [overflow-wrap:anywhere]" dir="auto">
          {tool.description}
        </p>
      ) : null}
      <Permission tool={tool} />
      <details>
        <summary className="py-1 text-sm touch:py-2.5">Schema</summary>
        <JsonCode
          text={JSON.stringify(tool.schema, null, 2) ?? ""}
          label={`Schema of ${tool.name}`}
        />
      </details>
    </li>
  );
}

function Permission({ tool }: { tool: Tool }) {
  const id = useId();
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (approval: Approval) => setApproval(tool.name, approval),
    onSuccess: () => client.invalidateQueries({ queryKey: toolList.queryKey }),
  });
  const shown = change.isPending ? change.variables : tool.approval;
  return (
    <>
      <fieldset className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <legend className="sr-only">Permission of {tool.title || tool.name}</legend>
        <div className="flex rounded-full border p-0.5">
          {APPROVALS.map(([approval, label]) => (
            <RadioPill
              key={approval}
              name={id}
              isChecked={approval === shown}
              onCheck={() => change.mutate(approval)}
              className="px-3 py-0.5 text-sm"
            >
              {label}
            </RadioPill>
          ))}
        </div>
        <span className="text-muted-foreground text-sm">
          {tool.read_only ? "Says it changes nothing." : "May change data."}
        </span>
      </fieldset>
      {change.isError ? <ErrorCallout error={change.error} /> : null}
    </>
  );
}
