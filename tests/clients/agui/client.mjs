// Runs `@ag-ui/client`, unmodified, as a page would: reads what to do from stdin, prints what came of it.
import { readFileSync } from "node:fs";
import { HttpAgent, buildResumeArray } from "@ag-ui/client";

const { url, threadId, runs } = JSON.parse(readFileSync(0, "utf8"));
const agent = new HttpAgent({ url, threadId });
const outputs = [];

for (const { add = [], results = {}, answers, abortAfterText, ...parameters } of runs) {
  agent.addMessages(add);
  const output = { customEvents: [], pendingToolCallIds: [], error: null, text: "" };
  if (answers) {
    const responses = agent.pendingInterrupts.map(({ id }) => [id, answers]);
    parameters.resume = buildResumeArray(agent.pendingInterrupts, Object.fromEntries(responses));
  }
  const subscriber = {
    onCustomEvent: ({ event }) => void output.customEvents.push(event.name),
    onTextMessageContentEvent: ({ event }) => {
      output.text += event.delta;
      if (abortAfterText) agent.abortRun();
    },
    onRunErrorEvent: ({ event }) => void (output.error = event.code),
    onRunFinishedEvent: ({ pendingToolCallIds }) =>
      void (output.pendingToolCallIds = pendingToolCallIds ?? []),
  };
  try {
    await agent.runAgent(parameters, subscriber);
  } catch (error) {
    output.error ??= `${error}`;
  }
  for (const id of output.pendingToolCallIds) {
    const calls = agent.messages.flatMap(({ toolCalls }) => toolCalls ?? []);
    const { name } = calls.find((call) => call.id === id).function;
    agent.addMessage({ id: `result-${id}`, role: "tool", toolCallId: id, content: results[name] });
  }
  output.messages = structuredClone(agent.messages);
  output.interrupts = agent.pendingInterrupts;
  outputs.push(output);
}
console.log(JSON.stringify(outputs));
