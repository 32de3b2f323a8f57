/** The models as commands. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouterState } from "@tanstack/react-router";
import { errorMessage } from "@/api/errors";
import { showToast } from "@/components/toast";
import { health, modelList } from "@/models/queries";
import { modelOf, switchModel } from "@/models/switch-model";
import type { Command } from "./commands";

export function useModelCommands(): Command[] {
  const client = useQueryClient();
  const models = useQuery(modelList);
  const api = useQuery(health);
  const id = useRouterState({
    select: ({ location }) => /^\/c\/([^/]+)$/.exec(location.pathname)?.[1],
  });
  const current = modelOf(client, id) ?? api.data?.model;
  const choose = async (model: string) => {
    try {
      await switchModel(client, id, model);
      showToast({ text: `Answers come from ${model} now` });
    } catch (error) {
      showToast({ text: errorMessage(error) });
    }
  };
  return (models.data?.data ?? []).map((model) => ({
    id: `model ${model.id}`,
    group: "Model",
    name: model.id,
    words: "switch use",
    isCurrent: model.id === current,
    run: () => void choose(model.id),
  }));
}
