/** Uploaded files and collections of them. */
import { PageHeader } from "@/routes/page-header";

export function FilesPage() {
  return <PageHeader title="Files" />;
}
