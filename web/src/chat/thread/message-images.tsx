/** The images of a message. A stored one is asked for with the API's key, if there is one. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { hasKey } from "@/api/access";
import { send } from "@/api/client";
import type { Part } from "../request";

export function MessageImages({ parts }: { parts: Part[] }) {
  const images = parts.filter((part) => part.type === "image_url");
  if (images.length === 0) return null;
  return (
    <ul className="mb-2 flex flex-wrap gap-2">
      {images.map(({ image_url: { url }, smolchat }) => (
        <li key={url.slice(0, 100)}>
          <StoredImage url={url} name={smolchat?.name || "Image"} />
        </li>
      ))}
    </ul>
  );
}

function StoredImage({ url, name }: { url: string; name: string }) {
  const needsKey = url.startsWith("/") && hasKey();
  const image = useQuery({
    queryKey: ["image", url],
    queryFn: async ({ signal }) => (await send(url, { signal })).blob(),
    enabled: needsKey,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const blobUrl = useObjectUrl(image.data);
  const source = needsKey ? blobUrl : url;
  const isOurs = url.startsWith("/images/") || url.startsWith("data:image/");
  if (!isOurs || source === undefined)
    return <span className="text-muted-foreground">[{name}]</span>;
  return (
    <img src={source} alt={name} className="h-40 max-w-full rounded-md border object-contain" />
  );
}

function useObjectUrl(blob: Blob | undefined): string | undefined {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (blob === undefined) return;
    const created = URL.createObjectURL(blob);
    setUrl(created);
    return () => URL.revokeObjectURL(created);
  }, [blob]);
  return url;
}
