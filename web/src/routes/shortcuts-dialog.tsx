/** The list of the page's keys. */
import { Fragment } from "react";
import { Dialog } from "@/components/dialog";
import { keyName, SHORTCUTS } from "./shortcuts";

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      {SHORTCUTS.map(({ name, shortcuts }) => (
        <section key={name} aria-label={name} className="mt-3 first:mt-0">
          <h3 className="mb-1 font-medium font-sans text-muted-foreground text-sm">{name}</h3>
          <dl className="grid grid-cols-[1fr_auto] gap-x-6 gap-y-1.5">
            {shortcuts.map(({ keys, does }) => (
              <Fragment key={does}>
                <dt>{does}</dt>
                <dd className="flex items-start justify-end gap-1">
                  {keys.map((key) => (
                    <kbd key={key} className="rounded-sm border bg-muted px-1.5 text-sm">
                      {keyName(key)}
                    </kbd>
                  ))}
                </dd>
              </Fragment>
            ))}
          </dl>
        </section>
      ))}
    </Dialog>
  );
}
