/** Tasks on all of the text of the files of a chat. */
import { useState } from "react";
import { Button } from "@/components/button";
import { Input } from "@/components/input";
import type { FileOptions } from "../request";
import { TASKS, type Task, taskLabel } from "./file-words";

const MAX_SENTENCES = 50;
const MAX_PHRASE = 200;

type Props = { isBusy: boolean; onTask: (text: string, options: FileOptions) => void };

export function TaskButtons({ isBusy, onTask }: Props) {
  const [text, setText] = useState("");
  const [count, setCount] = useState("5");
  const phrase = text.trim();
  const n = Number(count);
  const isCount = Number.isInteger(n) && n >= 1 && n <= MAX_SENTENCES;
  const run = (task: Task) =>
    onTask(taskLabel(task, phrase, n), {
      task,
      ...(needsPhrase(task) ? { phrase } : {}),
      ...(needsCount(task) ? { n } : {}),
    });
  return (
    <fieldset className="mt-4 flex flex-col gap-2">
      <legend className="mb-1 font-medium">All of the text</legend>
      <div className="flex flex-wrap gap-3">
        <Input
          label="Word or phrase"
          value={text}
          maxLength={MAX_PHRASE}
          dir="auto"
          onChange={(event) => setText(event.target.value)}
          className="min-w-40 flex-1"
        />
        <Input
          label="Sentences"
          type="number"
          min={1}
          max={MAX_SENTENCES}
          value={count}
          error={isCount ? undefined : `1 to ${MAX_SENTENCES}`}
          onChange={(event) => setCount(event.target.value)}
          className="w-28"
        />
      </div>
      <div className="flex flex-wrap gap-1.5">
        {(Object.keys(TASKS) as Task[]).map((task) => (
          <Button
            key={task}
            size="sm"
            disabled={
              isBusy || (needsPhrase(task) && phrase === "") || (needsCount(task) && !isCount)
            }
            onClick={() => run(task)}
          >
            {TASKS[task]}
          </Button>
        ))}
      </div>
    </fieldset>
  );
}

function needsPhrase(task: Task): boolean {
  return task === "mentions" || task === "count";
}

function needsCount(task: Task): boolean {
  return task === "first" || task === "last";
}
