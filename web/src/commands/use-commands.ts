/** The commands of the page: chats, models, theme, pages. */
import { useNavigate } from "@tanstack/react-router";
import { TEMPORARY } from "@/chat/temporary-id";
import { PAGES } from "@/routes/pages";
import { type Preferences, setPreferences, usePreferences } from "@/settings/preferences";
import type { Command } from "./commands";
import { useModelCommands } from "./use-model-commands";

const THEMES: readonly { theme: Preferences["theme"]; name: string }[] = [
  { theme: "light", name: "Light" },
  { theme: "dark", name: "Dark" },
  { theme: "system", name: "System" },
];

export function useCommands(onShortcuts: () => void): Command[] {
  return [
    ...useActionCommands(onShortcuts),
    ...useModelCommands(),
    ...useThemeCommands(),
    ...usePageCommands(),
  ];
}

function useActionCommands(onShortcuts: () => void): Command[] {
  const navigate = useNavigate();
  const group = "Actions";
  return [
    {
      id: "new",
      group,
      name: "New chat",
      keys: ["mod", "Shift", "O"],
      run: () => void navigate({ to: "/" }),
    },
    {
      id: "temporary",
      group,
      name: "Temporary chat",
      words: "new private incognito not stored",
      run: () => void navigate({ to: "/c/$id", params: { id: TEMPORARY } }),
    },
    {
      id: "shortcuts",
      group,
      name: "Keyboard shortcuts",
      words: "keys help",
      keys: ["?"],
      run: onShortcuts,
    },
  ];
}

function useThemeCommands(): Command[] {
  const { theme: current } = usePreferences();
  return THEMES.map(({ theme, name }) => ({
    id: `theme ${theme}`,
    group: "Theme",
    name,
    words: "color mode",
    isCurrent: theme === current,
    run: () => setPreferences({ theme }),
  }));
}

function usePageCommands(): Command[] {
  const navigate = useNavigate();
  return PAGES.map(({ to, name }) => ({
    id: to,
    group: "Pages",
    name,
    words: "go to",
    run: () => void navigate({ to }),
  }));
}
