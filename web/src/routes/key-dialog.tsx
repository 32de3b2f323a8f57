/** Asks for the API's key when the API wants one. */
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { hasKey, saveKey, useIsKeyWanted } from "@/api/access";
import { Button } from "@/components/button";
import { Callout } from "@/components/callout";
import { Dialog } from "@/components/dialog";
import { Input } from "@/components/input";

export function KeyDialog() {
  return useIsKeyWanted() ? <KeyForm /> : null;
}

function KeyForm() {
  const queries = useQueryClient();
  const [key, setKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() === "") return;
    saveKey(key.trim());
    queries.resetQueries();
  };
  return (
    <Dialog title="API key" onClose={() => undefined} isPersistent>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <p>
          This API asks for its key, <code>SMOLCHAT_API_KEY</code>. It is kept for this tab only.
        </p>
        {hasKey() ? <Callout kind="error">The API did not accept this key.</Callout> : null}
        <Input
          label="Key"
          type="password"
          autoComplete="off"
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
        <Button type="submit" variant="primary" className="self-end">
          Continue
        </Button>
      </form>
    </Dialog>
  );
}
