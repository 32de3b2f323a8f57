/** An MCP server: its state, and switching it off, on and over. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { clsx } from "clsx";
import { RefreshCw } from "lucide-react";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Switch } from "@/components/switch";
import { reconnectServer, serverList, switchServer, type ToolServer, toolList } from "./queries";

const STATES = {
  off: { name: "Off", style: "bg-muted" },
  connecting: { name: "Connecting", style: "bg-warning text-warning-foreground" },
  connected: { name: "Connected", style: "bg-success text-success-foreground" },
  failed: { name: "Not connected", style: "bg-destructive text-destructive-foreground" },
} as const;
const TRANSPORTS = { http: "HTTP", stdio: "Program on this computer" } as const;

export function ServerCard({ server }: { server: ToolServer }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: (action: () => Promise<void>) => action(),
    onSettled: () =>
      Promise.all(
        [serverList, toolList].map(({ queryKey }) => client.invalidateQueries({ queryKey })),
      ),
  });
  const { name, style } = STATES[server.state];
  const isOff = server.state === "off";
  return (
    <li className="flex flex-col gap-2 rounded-lg border px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="min-w-0 [overflow-wrap:anywhere]">{server.name}</h3>
        <span role="status" className={clsx("rounded-full px-2.5 py-0.5 text-sm", style)}>
          {name}
        </span>
      </div>
      <p className="text-muted-foreground text-sm [overflow-wrap:anywhere]">
        {server.address}
        <br />
        {TRANSPORTS[server.transport]} · {server.tools} {server.tools === 1 ? "tool" : "tools"}
      </p>
      {server.error ? (
        <p className="text-sm [overflow-wrap:anywhere]" dir="auto">
          {server.error}
        </p>
      ) : null}
      {change.isError ? <ErrorCallout error={change.error} /> : null}
      <div className="flex flex-wrap items-center gap-4">
        <Switch
          label="Enabled"
          isOn={!isOff}
          isDisabled={change.isPending}
          onChange={(isOn) => change.mutate(() => switchServer(server.name, isOn))}
        />
        <Button
          size="sm"
          disabled={isOff || change.isPending}
          onClick={() => change.mutate(() => reconnectServer(server.name))}
        >
          <RefreshCw /> Reconnect
        </Button>
      </div>
    </li>
  );
}
