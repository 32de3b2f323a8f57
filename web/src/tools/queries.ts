/** The tools that the API can run, and the MCP servers that some of them come from. */
import { queryOptions } from "@tanstack/react-query";
import { call, type Reply } from "@/api/client";

export type Tool = Reply<"ToolDescription">;
export type Approval = Tool["approval"];
export type ToolServer = Reply<"ServerDescription">;

/** A server that is connecting, or failed and is tried again, changes by itself. */
const POLL_MS = 5_000;

export const toolList = queryOptions({
  queryKey: ["tools"],
  queryFn: ({ signal }) => call("get", "/tools", { signal }),
});

export const serverList = queryOptions({
  queryKey: ["tool-servers"],
  queryFn: ({ signal }) => call("get", "/tools/servers", { signal }),
  refetchInterval: POLL_MS,
});

export async function setApproval(name: string, approval: Approval): Promise<Tool> {
  return await call("patch", "/tools/{name}", { path: { name }, body: { approval } });
}

export async function switchServer(name: string, enabled: boolean): Promise<void> {
  await call("patch", "/tools/servers/{name}", { path: { name }, body: { enabled } });
}

export async function reconnectServer(name: string): Promise<void> {
  await call("post", "/tools/servers/{name}/reconnect", { path: { name } });
}

/** Return the tools by their source, in the order of the list. */
export function bySource(tools: Tool[]): [string, Tool[]][] {
  const groups = new Map<string, Tool[]>();
  for (const tool of tools) groups.set(tool.source, [...(groups.get(tool.source) ?? []), tool]);
  return [...groups];
}
