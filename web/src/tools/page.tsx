/** The tools that the API can run: where each comes from, and whether it asks first. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RefreshCw } from "lucide-react";
import { ErrorCallout } from "@/components/callout";
import { IconButton } from "@/components/icon-button";
import { Spinner } from "@/components/spinner";
import { PageHeader } from "@/routes/page-header";
import { bySource, serverList, toolList } from "./queries";
import { ServerCard } from "./server-card";
import { ToolCard } from "./tool-card";

export function ToolsPage() {
  const client = useQueryClient();
  const refresh = () => {
    for (const { queryKey } of [toolList, serverList]) void client.invalidateQueries({ queryKey });
  };
  return (
    <>
      <PageHeader title="Tools">
        <IconButton label="Refresh" onClick={refresh}>
          <RefreshCw />
        </IconButton>
      </PageHeader>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto w-full max-w-3xl p-4 sm:p-6">
          <p className="text-muted-foreground">
            The model can use a tool when it is on in a chat, under <em>Tools</em> in the
            parameters. Here you choose whether it runs by itself, asks you first, or never runs.
          </p>
          <h2 className="mt-8 mb-3 text-xl">MCP servers</h2>
          <Servers />
          <h2 className="mt-8 mb-3 text-xl">Available tools</h2>
          <Tools />
        </div>
      </div>
    </>
  );
}

function Servers() {
  const query = useQuery(serverList);
  if (query.isError)
    return <ErrorCallout error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data === undefined) return <Spinner />;
  const { data, error } = query.data;
  return (
    <>
      {error ? <p className="mb-3 [overflow-wrap:anywhere]">{error}</p> : null}
      {data.length === 0 && !error ? (
        <p className="text-muted-foreground">
          No MCP servers. Set <code>SMOLCHAT_MCP_CONFIG</code> in <code>.env</code> to a JSON file
          that lists them, and restart the API.
        </p>
      ) : null}
      <ul className="flex flex-col gap-3">
        {data.map((server) => (
          <ServerCard key={server.name} server={server} />
        ))}
      </ul>
    </>
  );
}

function Tools() {
  const query = useQuery(toolList);
  if (query.isError)
    return <ErrorCallout error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data === undefined) return <Spinner />;
  if (query.data.data.length === 0) {
    return <p className="text-muted-foreground">No tools available</p>;
  }
  return bySource(query.data.data).map(([source, tools]) => (
    <section key={source} className="mb-6">
      <h3 className="mb-2 text-muted-foreground [overflow-wrap:anywhere]">
        {source === "built-in" ? "Built-in" : source}
      </h3>
      <ul className="flex flex-col gap-3">
        {tools.map((tool) => (
          <ToolCard key={tool.name} tool={tool} />
        ))}
      </ul>
    </section>
  ));
}
