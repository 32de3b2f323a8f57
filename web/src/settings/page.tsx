/** What a person prefers in this browser, and their data. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useId } from "react";
import { buttonStyle } from "@/components/button";
import { FIELD } from "@/components/input";
import { health } from "@/models/queries";
import { PageHeader } from "@/routes/page-header";
import { keyName } from "@/routes/shortcuts";
import { DataSection } from "./data-section";
import { UNKNOWN, useFormat } from "./format";
import { LOCALES, localeName } from "./locales";
import { type Preferences, setPreferences, usePreferences } from "./preferences";
import { Section } from "./section";

export function SettingsPage() {
  return (
    <>
      <PageHeader title="Settings" />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto grid w-full max-w-3xl grid-cols-[minmax(0,1fr)] gap-8 p-4 sm:p-6">
          <p className="text-muted-foreground">
            Kept in this browser. What the API does is set where it runs; Status shows it.
          </p>
          <AppearanceSection />
          <Section title="Chat">
            <Choice
              name="sendKey"
              legend="Send messages with"
              options={[
                { value: "enter", name: "Enter", detail: "Shift+Enter starts a new line" },
                {
                  value: "mod-enter",
                  name: `${keyName("mod")}+Enter`,
                  detail: "Enter starts a new line",
                },
              ]}
            />
          </Section>
          <DataSection />
          <AboutSection />
        </div>
      </div>
    </>
  );
}

function AppearanceSection() {
  const { locale } = usePreferences();
  const id = useId();
  const format = useFormat();
  return (
    <Section title="Appearance">
      <Choice
        name="theme"
        legend="Theme"
        options={[
          { value: "system", name: "System" },
          { value: "light", name: "Light" },
          { value: "dark", name: "Dark" },
        ]}
      />
      <Choice
        name="density"
        legend="Density"
        options={[
          { value: "comfortable", name: "Comfortable" },
          { value: "compact", name: "Compact", detail: "With a mouse or trackpad" },
        ]}
      />
      <div className="flex max-w-sm flex-col gap-1">
        <label htmlFor={id} className="font-medium">
          Dates and numbers
        </label>
        <select
          id={id}
          aria-describedby={`${id}-example`}
          className={FIELD}
          value={LOCALES.includes(locale) ? locale : ""}
          onChange={(event) => setPreferences({ locale: event.target.value })}
        >
          <option value="">As in the browser ({localeName(navigator.language)})</option>
          {LOCALES.map((tag) => (
            <option key={tag} value={tag} lang={tag}>
              {localeName(tag)}
            </option>
          ))}
        </select>
        <span id={`${id}-example`} className="text-muted-foreground text-sm">
          {format.dateTime(new Date())} · {format.number(1234567)}
        </span>
      </div>
    </Section>
  );
}

type ChoiceName = "theme" | "density" | "sendKey";
type ChoiceProps<Name extends ChoiceName> = {
  name: Name;
  legend: string;
  options: { value: Preferences[Name]; name: string; detail?: ReactNode }[];
};

/** A preference with a few values, all in view. */
function Choice<Name extends ChoiceName>({ name, legend, options }: ChoiceProps<Name>) {
  const chosen = usePreferences()[name];
  return (
    <fieldset>
      <legend className="mb-1.5 font-medium">{legend}</legend>
      <div className="flex flex-wrap gap-2">
        {options.map(({ value, name: label, detail }) => (
          <label
            key={value}
            className="flex items-center gap-2.5 rounded-md border px-3 py-1.5 touch:min-h-11 hover:bg-muted has-checked:border-primary has-checked:bg-muted"
          >
            <input
              type="radio"
              name={name}
              checked={chosen === value}
              onChange={() => setPreferences({ [name]: value })}
            />
            <span>
              {label}
              {detail ? (
                <span className="block text-muted-foreground text-sm">{detail}</span>
              ) : null}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function AboutSection() {
  const api = useQuery(health);
  return (
    <Section title="About">
      <p>
        SmolChat {api.data?.version ?? UNKNOWN}. Default model: {api.data?.model ?? UNKNOWN}.
      </p>
      <p className="text-muted-foreground">
        No telemetry. This page loads nothing from other servers; what you type goes to the API at{" "}
        {location.host} and from there to its model server. Apache License 2.0.
      </p>
      <div className="flex flex-wrap gap-2">
        <Link to="/app/status" className={buttonStyle()}>
          Status
        </Link>
        <a href="/docs" target="_blank" rel="noreferrer" className={buttonStyle()}>
          API docs
        </a>
      </div>
    </Section>
  );
}
