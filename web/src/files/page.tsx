/** Files: uploads and how far they are read, collections, and search. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { clsx } from "clsx";
import { Tabs } from "radix-ui";
import { PageHeader } from "@/routes/page-header";
import { CollectionsPane } from "./collections-pane";
import { FilesPane } from "./files-pane";
import { fileList } from "./queries";
import { SearchPane } from "./search-pane";

const TABS = ["Files", "Collections", "Search"] as const;

export function FilesPage() {
  const files = useInfiniteQuery(fileList).data?.pages.flatMap(({ data }) => data) ?? [];
  return (
    <>
      <PageHeader title="Files" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto w-full max-w-3xl p-4 sm:p-6">
          <p className="mb-4 text-muted-foreground">
            Upload files, then ask about them in a chat, or search them here.
          </p>
          <Tabs.Root defaultValue="Files">
            <Tabs.List aria-label="Files" className="mb-4 flex gap-1 border-b">
              {TABS.map((name) => (
                <Tabs.Trigger
                  key={name}
                  value={name}
                  className={clsx(
                    "-mb-px border-transparent border-b-2 px-3 py-1.5 touch:min-h-11",
                    "data-[state=active]:border-primary data-[state=active]:font-medium",
                  )}
                >
                  {name}
                </Tabs.Trigger>
              ))}
            </Tabs.List>
            <Tabs.Content value="Files">
              <FilesPane />
            </Tabs.Content>
            <Tabs.Content value="Collections">
              <CollectionsPane files={files} />
            </Tabs.Content>
            <Tabs.Content value="Search">
              <SearchPane />
            </Tabs.Content>
          </Tabs.Root>
        </div>
      </div>
    </>
  );
}
