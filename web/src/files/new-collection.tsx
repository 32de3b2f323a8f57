/** The name of a new collection. */
import { type FormEvent, useState } from "react";
import { Button } from "@/components/button";
import { Input } from "@/components/input";

type Props = {
  isPending: boolean;
  /** `clear` empties the field. */
  onCreate: (name: string, clear: () => void) => void;
  className?: string;
};

export function NewCollection({ isPending, onCreate, className = "" }: Props) {
  const [name, setName] = useState("");
  const create = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") onCreate(name.trim(), () => setName(""));
  };
  return (
    <form onSubmit={create} className={`flex items-end gap-2 ${className}`}>
      <Input
        label="New collection"
        value={name}
        maxLength={200}
        onChange={(event) => setName(event.target.value)}
        className="min-w-0 flex-1"
      />
      <Button type="submit" disabled={name.trim() === "" || isPending}>
        Create
      </Button>
    </form>
  );
}
