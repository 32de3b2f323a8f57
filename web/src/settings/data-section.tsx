/** The chats as a whole: export, import, what was deleted, and deleting everything. */
import { Download, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { download } from "@/api/download";
import { errorMessage } from "@/api/errors";
import { Button } from "@/components/button";
import { showToast } from "@/components/toast";
import { DeletedChats } from "@/conversations/deleted-chats";
import { ImportChats } from "@/conversations/import-chats";
import { Section } from "./section";

const DeleteAllDialog = lazy(async () => {
  const { DeleteAllDialog } = await import("./delete-all-dialog");
  return { default: DeleteAllDialog };
});

export function DataSection() {
  const [isDeleting, setDeleting] = useState(false);
  const exportAll = () =>
    download("/conversations/export").catch((error: unknown) =>
      showToast({ text: errorMessage(error) }),
    );
  return (
    <Section title="Data">
      <div>
        <h3 className="mb-1.5 font-medium font-sans">All chats</h3>
        <Button onClick={() => void exportAll()}>
          <Download aria-hidden />
          Export all chats
        </Button>
        <p className="mt-1.5 text-muted-foreground text-sm">
          One JSON file with all messages, branches and images, which Import takes.
        </p>
      </div>
      <ImportChats />
      <DeletedChats />
      <div>
        <h3 className="mb-1.5 font-medium font-sans">Delete everything</h3>
        <Button variant="destructive" onClick={() => setDeleting(true)}>
          <Trash2 aria-hidden />
          Delete all data…
        </Button>
      </div>
      <Suspense>
        {isDeleting ? <DeleteAllDialog onClose={() => setDeleting(false)} /> : null}
      </Suspense>
    </Section>
  );
}
