/** Everything that a request is sent with, and where each value comes from. */
import type { SettingsHandle } from "../use-settings";

export default function Parameters({ handle }: { handle: SettingsHandle }) {
  const { settings, change } = handle;
  return (
    <label className="flex flex-col gap-1">
      System prompt
      <textarea
        value={settings.system}
        onChange={(event) => change({ system: event.target.value })}
        rows={4}
        dir="auto"
        className="w-full rounded-md border border-input bg-background px-3 py-2"
      />
    </label>
  );
}
