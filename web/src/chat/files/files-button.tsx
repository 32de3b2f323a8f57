/** Opens the files of a chat. */
import { FolderOpen } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Button } from "@/components/button";
import { countSelected } from "./chat-files";
import { isMode, MODES } from "./file-words";
import type { FilesDialogProps } from "./files-dialog";

const FilesDialog = lazy(() => import("./files-dialog"));

export function FilesButton(props: Omit<FilesDialogProps, "onClose">) {
  const [isOpen, setOpen] = useState(false);
  const { files } = props;
  const mode = countSelected(files) > 0 && isMode(files.mode) ? files.mode : "auto";
  return (
    <>
      <Button
        variant="ghost"
        size="sm"
        className="min-h-8"
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
      >
        <FolderOpen aria-hidden />
        Files{mode === "auto" ? "" : ` · ${MODES[mode].label}`}
      </Button>
      {isOpen ? (
        <Suspense fallback={null}>
          <FilesDialog {...props} onClose={() => setOpen(false)} />
        </Suspense>
      ) : null}
    </>
  );
}
