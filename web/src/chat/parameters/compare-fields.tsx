/** How many answers a message gets, and from which models. */
import { useQuery } from "@tanstack/react-query";
import { modelList } from "@/models/queries";
import { MAX_ANSWERS, setComparison, useComparison } from "../compare";

export function CompareFields() {
  const { count, models } = useComparison();
  const available = useQuery(modelList).data?.data ?? [];
  const isComparing = models.length > 1;
  return (
    <div className="flex flex-col gap-3">
      <fieldset disabled={isComparing}>
        <legend className="mb-1">Responses per message</legend>
        <div className="flex gap-1">
          {Array.from({ length: MAX_ANSWERS }, (_, index) => index + 1).map((number) => (
            <label
              key={number}
              className="flex h-8 flex-1 items-center justify-center rounded-md border has-checked:border-primary has-checked:bg-muted has-checked:text-ember has-disabled:opacity-50 has-focus-visible:outline-2 touch:h-11"
            >
              <input
                type="radio"
                name="responses"
                className="sr-only"
                checked={count === number}
                onChange={() => setComparison({ count: number })}
              />
              {number}
            </label>
          ))}
        </div>
      </fieldset>
      {available.length > 1 ? (
        <fieldset>
          <legend className="mb-1">Compare models</legend>
          {available.map(({ id }) => (
            <label key={id} className="flex items-center gap-2 py-1 touch:min-h-11">
              <input
                type="checkbox"
                checked={models.includes(id)}
                disabled={!models.includes(id) && models.length >= MAX_ANSWERS}
                onChange={(event) =>
                  setComparison({
                    models: event.target.checked
                      ? [...models, id]
                      : models.filter((other) => other !== id),
                  })
                }
              />
              <span className="min-w-0 truncate">{id}</span>
            </label>
          ))}
          {models.length === 1 ? (
            <p className="text-muted-foreground text-sm">Choose another one to compare it with.</p>
          ) : null}
        </fieldset>
      ) : null}
    </div>
  );
}
