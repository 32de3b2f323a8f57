/** Chooses the model of a chat. */
import { useQuery } from "@tanstack/react-query";
import { ChevronDown } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/button";
import {
  Menu,
  MenuContent,
  MenuLabel,
  MenuRadioGroup,
  MenuRadioItem,
  MenuTrigger,
} from "@/components/menu";
import { health, modelList } from "./queries";

type Props = { model: string | null; onChange: (model: string) => void };

export function ModelPicker({ model, onChange }: Props) {
  const [isNeeded, setNeeded] = useState(false);
  const list = useQuery({ ...modelList, enabled: isNeeded });
  const server = useQuery(health).data;
  const selected = model ?? server?.model ?? "";
  const models = list.data?.data ?? [];
  const isListed = models.some(({ id }) => id === selected);
  return (
    <Menu onOpenChange={() => setNeeded(true)}>
      <MenuTrigger asChild>
        <Button
          variant="ghost"
          size="sm"
          onPointerEnter={() => setNeeded(true)}
          onFocus={() => setNeeded(true)}
          aria-label={`Model: ${selected || "none"}`}
          className="min-w-0"
        >
          <span className="max-w-20 truncate sm:max-w-48">
            {selected.split("/").at(-1) || "No model"}
          </span>
          <ChevronDown />
        </Button>
      </MenuTrigger>
      <MenuContent align="start">
        <MenuLabel>Model</MenuLabel>
        <MenuRadioGroup value={selected} onValueChange={onChange}>
          {isListed || selected === "" ? null : (
            <MenuRadioItem value={selected}>
              <span className="flex flex-col">
                {selected}
                {list.isSuccess ? (
                  <span className="text-muted-foreground text-xs">
                    not listed by the model server
                  </span>
                ) : null}
              </span>
            </MenuRadioItem>
          )}
          {models.map(({ id, smolchat }) => (
            <MenuRadioItem key={id} value={id}>
              <span className="flex flex-col">
                {id}
                <span className="text-muted-foreground text-xs">{describe(smolchat)}</span>
              </span>
            </MenuRadioItem>
          ))}
        </MenuRadioGroup>
        {list.isError ? (
          <p className="px-2.5 py-1.5 text-destructive-foreground text-sm">{list.error.message}</p>
        ) : null}
      </MenuContent>
    </Menu>
  );
}

type Metadata = {
  parameters: string | null;
  quantization: string | null;
  size: string | null;
  context_window: number | null;
};

function describe({ parameters, quantization, size, context_window }: Metadata): string {
  return [
    parameters && `${parameters} parameters`,
    size,
    quantization,
    context_window && `context ${context_window.toLocaleString("en")}`,
  ]
    .filter(Boolean)
    .join(" · ");
}
