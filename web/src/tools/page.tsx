/** The tools that the API can run. */
import { PageHeader } from "@/routes/page-header";

export function ToolsPage() {
  return <PageHeader title="Tools" />;
}
