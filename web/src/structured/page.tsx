/** Structured output: JSON that matches a schema. */
import { PageHeader } from "@/routes/page-header";

export function StructuredPage() {
  return <PageHeader title="Structured output" />;
}
