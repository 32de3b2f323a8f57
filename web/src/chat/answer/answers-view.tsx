/** The answer to a question, or several side by side with room to read. */
import { memo } from "react";
import type { AnswersRow } from "../thread/rows";
import { AnswerView } from "./answer-view";

const COLUMNS: Record<number, string> = {
  2: "lg:grid-cols-2",
  3: "lg:grid-cols-2 2xl:grid-cols-3",
  4: "lg:grid-cols-2 2xl:grid-cols-4",
};

export const AnswersView = memo(function AnswersView({ row }: { row: AnswersRow }) {
  const { answers } = row;
  const [only] = answers;
  if (answers.length === 1 && only !== undefined) {
    return (
      <div className="mx-auto w-full max-w-3xl px-1">
        <AnswerView answer={only} row={row} isSide={false} />
      </div>
    );
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: answers are no fields of a form.
    <div
      role="group"
      aria-label="Answers side by side"
      className={`mx-auto grid w-full max-w-[100rem] gap-4 ${COLUMNS[answers.length] ?? COLUMNS[4]}`}
    >
      {answers.map((answer) => (
        <div key={answer.key} className="min-w-0 rounded-lg border p-4">
          <AnswerView answer={answer} row={row} isSide />
        </div>
      ))}
    </div>
  );
});
