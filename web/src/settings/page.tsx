/** What a person prefers in this browser. */
import { PageHeader } from "@/routes/page-header";
import { type Preferences, setPreferences, usePreferences } from "./preferences";

const THEMES: { value: Preferences["theme"]; name: string }[] = [
  { value: "system", name: "System" },
  { value: "light", name: "Light" },
  { value: "dark", name: "Dark" },
];

export function SettingsPage() {
  const { theme } = usePreferences();
  return (
    <>
      <PageHeader title="Settings" />
      <div className="mx-auto w-full max-w-3xl p-6">
        <fieldset className="flex flex-wrap gap-4">
          <legend className="mb-2 font-medium">Theme</legend>
          {THEMES.map(({ value, name }) => (
            <label key={value} className="flex items-center gap-2 touch:min-h-11">
              <input
                type="radio"
                name="theme"
                checked={theme === value}
                onChange={() => setPreferences({ theme: value })}
              />
              {name}
            </label>
          ))}
        </fieldset>
      </div>
    </>
  );
}
