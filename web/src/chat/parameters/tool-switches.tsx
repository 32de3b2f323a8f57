/** Which of the API's tools the model may use in this chat: none at first. */
import { useQuery } from "@tanstack/react-query";
import { ErrorCallout } from "@/components/callout";
import { Switch } from "@/components/switch";
import { toolList } from "@/tools/queries";

type Props = { tools: string[]; onChange: (tools: string[]) => void };

export function ToolSwitches({ tools, onChange }: Props) {
  const list = useQuery(toolList);
  if (list.isError) return <ErrorCallout error={list.error} onRetry={() => list.refetch()} />;
  return list.data?.data.map(({ name, title, description, approval }) => (
    <Switch
      key={name}
      label={title || name}
      help={approval === "never" ? "Never allowed: see Tools" : firstSentence(description)}
      isOn={tools.includes(name)}
      isDisabled={approval === "never"}
      onChange={(isOn) =>
        onChange(isOn ? [...tools, name] : tools.filter((other) => other !== name))
      }
    />
  ));
}

function firstSentence(text: string): string {
  return /^[\s\S]{0,140}?[.!?](?=\s|$)/.exec(text)?.[0] ?? text.slice(0, 140);
}
