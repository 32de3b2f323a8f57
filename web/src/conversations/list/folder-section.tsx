/** The folders: each opens where it stands. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { clsx } from "clsx";
import { ChevronRight, Ellipsis, FolderIcon, FolderOpen, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { errorMessage } from "@/api/errors";
import { Button } from "@/components/button";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/menu";
import { showToast } from "@/components/toast";
import { usePreferences } from "@/settings/preferences";
import { type Folder, folderList, MAX_FOLDER_NAME, setFolderOpen } from "../folders";
import { refreshLists } from "../queries";
import { RenameField } from "../rename-field";
import { deleteFolder, renameFolder } from "../requests";
import { ROW_BUTTON } from "./row-button";
import { SectionHeading } from "./section-heading";
import { ShortList } from "./short-list";

export function FolderSection() {
  const folders = useQuery(folderList);
  if (!folders.data?.length) return null;
  return (
    <>
      <SectionHeading>Folders</SectionHeading>
      <ul>
        {folders.data.map((folder) => (
          <li key={folder.name}>
            <FolderRow folder={folder} />
          </li>
        ))}
      </ul>
    </>
  );
}

function FolderRow({ folder }: { folder: Folder }) {
  const client = useQueryClient();
  const { openFolders } = usePreferences();
  const [isRenaming, setRenaming] = useState(false);
  const { name } = folder;
  const isOpen = openFolders.includes(name);
  const attempt = async (work: () => Promise<void>) => {
    await work().catch((error: unknown) => showToast({ text: errorMessage(error) }));
    await refreshLists(client);
  };
  if (isRenaming) {
    return (
      <RenameField
        label="Name of the folder"
        value={name}
        maxLength={MAX_FOLDER_NAME}
        onCancel={() => setRenaming(false)}
        onSave={(newName) => {
          setRenaming(false);
          setFolderOpen(newName, isOpen);
          void attempt(() => renameFolder(name, newName));
        }}
      />
    );
  }
  return (
    <>
      <div className="group flex items-center rounded-md focus-within:bg-muted hover:bg-muted">
        <button
          type="button"
          data-folder={name}
          aria-expanded={isOpen}
          onClick={() => setFolderOpen(name, !isOpen)}
          className="flex min-w-0 flex-1 items-center gap-2 rounded-md px-2.5 py-1.5 text-start touch:min-h-11 [&_svg]:size-4 [&_svg]:shrink-0"
        >
          {isOpen ? <FolderOpen aria-hidden /> : <FolderIcon aria-hidden />}
          <span dir="auto" className="min-w-0 truncate">
            {name}
          </span>
          <span className="text-muted-foreground text-sm">{folder.count}</span>
          <ChevronRight
            aria-hidden
            className={clsx("ms-auto text-muted-foreground", isOpen && "rotate-90")}
          />
        </button>
        <FolderMenu
          name={name}
          onRename={() => setRenaming(true)}
          onDelete={() => attempt(() => deleteFolder(name))}
        />
      </div>
      {isOpen ? <ShortList filter={{ folder: name }} label={name} className="ps-4" /> : null}
    </>
  );
}

type MenuProps = { name: string; onRename: () => void; onDelete: () => void };

function FolderMenu({ name, onRename, onDelete }: MenuProps) {
  return (
    <Menu>
      <MenuTrigger asChild>
        <Button
          variant="ghost"
          size="icon"
          aria-label={`Options for folder ${name}`}
          className={ROW_BUTTON}
        >
          <Ellipsis aria-hidden />
        </Button>
      </MenuTrigger>
      <MenuContent align="start">
        <MenuItem onSelect={onRename}>
          <Pencil aria-hidden />
          Rename
        </MenuItem>
        <MenuItem onSelect={onDelete}>
          <Trash2 aria-hidden />
          Delete folder, keep chats
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}
