/** Adds a file to a collection, an existing or a new one. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/button";
import { ErrorCallout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { NewCollection } from "./new-collection";
import {
  addToCollection,
  collectionList,
  createCollection,
  fileKeys,
  type StoredFile,
} from "./queries";

type Props = { file: StoredFile; onClose: () => void };

export function AddDialog({ file, onClose }: Props) {
  const client = useQueryClient();
  const collections = useQuery(collectionList);
  const change = useMutation({
    mutationFn: (action: () => Promise<void>) => action(),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: fileKeys.collections });
      onClose();
    },
  });
  return (
    <Dialog title="Add to a collection" onClose={onClose}>
      <p className="[overflow-wrap:anywhere]">
        <bdi>{file.filename}</bdi>
      </p>
      {change.isError ? <ErrorCallout error={change.error} className="mt-3" /> : null}
      {collections.isError ? <ErrorCallout error={collections.error} className="mt-3" /> : null}
      <ul className="mt-3 flex flex-col gap-1">
        {collections.data?.data.map((collection) => (
          <li key={collection.id}>
            <Button
              className="w-full justify-start"
              disabled={change.isPending}
              onClick={() => change.mutate(() => addToCollection(collection.id, file.id))}
            >
              <bdi className="truncate">{collection.name || "Unnamed"}</bdi>
            </Button>
          </li>
        ))}
      </ul>
      <NewCollection
        isPending={change.isPending}
        onCreate={(name) => change.mutate(() => createCollection(name, [file.id]))}
        className="mt-3"
      />
    </Dialog>
  );
}
