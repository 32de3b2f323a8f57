/** Names and values, folded. */

type Props = { title: string; values: Record<string, unknown> };

export function ValueTable({ title, values }: Props) {
  return (
    <details>
      <summary className="py-1 touch:py-2.5">{title}</summary>
      <table className="mb-3 w-full text-sm">
        <thead className="sr-only">
          <tr>
            <th>Name</th>
            <th>Value</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(values).map(([name, value]) => (
            <tr key={name} className="border-b align-top last:border-0 [&>td]:py-1.5">
              <td className="w-1/2 pe-4 [overflow-wrap:anywhere]">{name}</td>
              <td className="font-mono [overflow-wrap:anywhere]">{valueText(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function valueText(value: unknown): string {
  if (value === null || value === "") return "none";
  if (Array.isArray(value)) return value.length > 0 ? value.join(", ") : "none";
  return String(value);
}
