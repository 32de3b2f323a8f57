/** What runs where, and how fast it answers. */
import { PageHeader } from "@/routes/page-header";

export function StatusPage() {
  return <PageHeader title="Status" />;
}
