/** One answer: its reasoning, text and steps, how it ended, and what can be done with it. */
import { memo, useState } from "react";
import { Callout } from "@/components/callout";
import { ErrorBoundaryText } from "@/components/error-boundary";
import { useChat } from "../chat-context";
import { CitedAnswer } from "../files/cited-answer";
import { answerOf, openCalls } from "../items";
import { EditForm } from "../thread/edit-form";
import type { AnswerModel, AnswersRow } from "../thread/rows";
import { AnswerActions } from "./answer-actions";
import { Markdown } from "./markdown";
import { ProgressLine } from "./progress-line";
import { Reasoning } from "./reasoning";
import { shortModel } from "./receipt-text";
import { StatChips } from "./stats";
import { ContinueSteps, Steps } from "./steps";

type Props = { answer: AnswerModel; row: AnswersRow; isSide: boolean };

export const AnswerView = memo(function AnswerView({ answer, row, isSide }: Props) {
  const [isEditing, setEditing] = useState(false);
  const { actions } = useChat();
  const isWriting = answer.state === "waiting" || answer.state === "writing";
  const message = answer.item && answerOf(answer.item);
  return (
    <section
      aria-label={`Answer of ${shortModel(answer.model) || "the model"}`}
      aria-busy={isWriting}
      data-answer={message?.id}
      className="group/answer min-w-0"
    >
      {isSide ? <SideHeader answer={answer} row={row} /> : null}
      {isEditing && message !== undefined ? (
        <EditForm
          label="Edit the answer"
          text={message.content}
          onCancel={() => setEditing(false)}
          onSave={async (text) => {
            await actions.edit(message, text);
            setEditing(false);
          }}
        />
      ) : (
        <CitedAnswer answer={answer} row={row}>
          <ErrorBoundaryText text={answer.rounds.map(({ text }) => text).join("\n\n")}>
            <Rounds answer={answer} isWriting={isWriting} />
          </ErrorBoundaryText>
        </CitedAnswer>
      )}
      <Ending answer={answer} questionId={row.questionId} />
      {isWriting ? (
        <ProgressLine answer={answer} />
      ) : (
        <div className="mt-2 flex flex-col gap-1.5">
          <ContinueSteps answer={answer} />
          <StatChips answer={answer} />
          {answer.item === undefined ? null : (
            <AnswerActions
              answer={answer}
              row={row}
              isSide={isSide}
              onEdit={() => setEditing(true)}
            />
          )}
        </div>
      )}
    </section>
  );
});

function Rounds({ answer, isWriting }: { answer: AnswerModel; isWriting: boolean }) {
  return answer.rounds.map((round, index) => {
    const isGrowing = isWriting && index === answer.rounds.length - 1;
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: rounds are only added at the end.
      <div key={index}>
        {round.reasoning.trim() ? <Reasoning round={round} isWriting={isGrowing} /> : null}
        {round.text ? (
          <Markdown
            text={round.text}
            isGrowing={isGrowing}
            citations={index === answer.rounds.length - 1 ? answer.citations : undefined}
          />
        ) : null}
        {openCalls(round).map((call) => (
          <p key={call.id} className="my-2 font-mono text-sm [overflow-wrap:anywhere]">
            {call.name}({call.arguments})
          </p>
        ))}
        {round.steps.length > 0 ? <Steps steps={round.steps} answer={answer} /> : null}
      </div>
    );
  });
}

function SideHeader({ answer, row }: { answer: AnswerModel; row: AnswersRow }) {
  const isCurrent = answer.item !== undefined && answer.item.id === row.current;
  return (
    <h3 className="mb-2 flex items-center gap-2 border-b pb-1 font-sans text-muted-foreground text-sm">
      <span className="truncate">{shortModel(answer.label || answer.model)}</span>
      {isCurrent ? (
        <span className="shrink-0 rounded-full bg-success px-2 text-success-foreground text-xs">
          continued
        </span>
      ) : null}
    </h3>
  );
}

/** How an answer ended, if not by itself, with the next step. */
function Ending({ answer, questionId }: { answer: AnswerModel; questionId: string | undefined }) {
  const { session } = useChat();
  const { state, error, item } = answer;
  if (state === "failed") {
    return (
      <Callout
        kind="error"
        className="mt-3"
        action={<Retry questionId={questionId} isStored={item !== undefined} />}
      >
        {error?.message ?? "The answer failed."}
      </Callout>
    );
  }
  if (state === "interrupted") {
    return (
      <Callout kind="warning" className="mt-3">
        The API stopped while this was written. What is here is what was stored.
      </Callout>
    );
  }
  const isEmpty = answer.rounds.every(
    ({ text, steps }) => text.trim() === "" && steps.length === 0,
  );
  if (state === "finished" && isEmpty && !session.isAnswering) {
    return <p className="text-muted-foreground">The model gave an empty response.</p>;
  }
  return null;
}

function Retry({ questionId, isStored }: { questionId: string | undefined; isStored: boolean }) {
  const { session } = useChat();
  const style = "shrink-0 rounded-full border border-current px-3 py-0.5 touch:min-h-11";
  if (isStored && questionId !== undefined) {
    return (
      <button type="button" className={style} onClick={() => session.regenerate(questionId)}>
        Try again
      </button>
    );
  }
  return isStored ? null : (
    <button type="button" className={style} onClick={() => session.retry()}>
      Try again
    </button>
  );
}
