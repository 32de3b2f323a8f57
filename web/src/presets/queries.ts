/** Sets of parameters: the built-in ones, and those that a person saved. */
import { queryOptions } from "@tanstack/react-query";
import { call, type Reply } from "@/api/client";
import { queryClient } from "@/api/query-client";

export type Preset = { name: string; parameters: Record<string, unknown>; isBuiltIn: boolean };

/** Balanced keeps what suits the model. */
export const BUILT_IN_PRESETS: Preset[] = [
  { name: "Balanced", parameters: {}, isBuiltIn: true },
  { name: "Precise", parameters: { temperature: 0.2, top_p: 0.9 }, isBuiltIn: true },
  { name: "Creative", parameters: { temperature: 1.1, min_p: 0.05 }, isBuiltIn: true },
];

export const presetList = queryOptions({
  queryKey: ["presets"],
  queryFn: ({ signal }) => call("get", "/presets", { signal }),
  select: (list: Reply<"PresetList">): Preset[] => [
    ...BUILT_IN_PRESETS,
    ...list.data.map(({ name, parameters }) => ({ name, parameters, isBuiltIn: false })),
  ],
});

export async function savePreset(name: string, parameters: Record<string, unknown>): Promise<void> {
  await call("put", "/presets/{name}", { path: { name }, body: { parameters } });
  await queryClient.invalidateQueries(presetList);
}

export async function deletePreset(name: string): Promise<void> {
  await call("delete", "/presets/{name}", { path: { name } });
  await queryClient.invalidateQueries(presetList);
}
