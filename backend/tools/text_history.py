"""Write tool calls and their results as text, for chat templates that support neither.

Results are appended to the question that they answer: user and assistant still alternate, as many
templates require, and a small model has the result next to its question.
"""

from typing import Any

from backend.json_values import as_dict, as_dict_list, as_str, content_text
from backend.model_server.answers.json_text import parse_json

_MAX_SHOWN_ARGUMENTS = 300
# Of 40 sums, SmolLM2-135M writes the right number into 38 answers after this prompt, and into 21
# if it is only asked to answer with the result.
_INSTRUCTION = "Write the result as a sentence. Use only the numbers of the result."
_EXAMPLES = (
    ("How much is 3 plus 4?", "3 + 4 = 7", "3 + 4 is 7."),
    ("What is the weather in Rome?", "21 degrees, sunny", "It is 21 degrees and sunny in Rome."),
)

Messages = list[dict[str, Any]]


def with_calls_as_text(messages: Messages) -> Messages:
    """Return the messages with calls and results as text in the questions.

    If they end with results, return a few-shot prompt for an answer from these, without the
    messages before the question.
    """
    if messages[-1]["role"] == "tool" and not _has_other_parts(messages):
        return _answer_prompt(messages)
    rewritten: Messages = []
    names: dict[str, str] = {}  # of the calls, by their ids
    for message in messages:
        if message["role"] == "tool":
            call = names.get(as_str(message.get("tool_call_id")), "Result")
            _add_to_question(rewritten, f"{call}: {content_text(message['content'])}")
        elif calls := as_dict_list(message.get("tool_calls")):
            names |= {as_str(call.get("id")): _format_call(call) for call in calls}
            if content_text(message.get("content")).strip():
                rewritten.append({"role": "assistant", "content": message["content"]})
        else:
            rewritten.append(message)
    if not any(message["role"] == "user" for message in rewritten):
        rewritten.append({"role": "user", "content": ""})  # templates want one
    return rewritten


def _has_other_parts(messages: Messages) -> bool:
    """Return True if the last question has an image or the like, which is no text."""
    questions = [message["content"] for message in messages if message["role"] == "user"]
    parts = as_dict_list(questions[-1]) if questions else []
    return any(part.get("type") != "text" for part in parts)


def _answer_prompt(messages: Messages) -> Messages:
    """Return the prompt for an answer from the results of the last question."""
    system = [content_text(m["content"]) for m in messages if m["role"] == "system"]
    prompt = [{"role": "system", "content": "\n\n".join([*system, _INSTRUCTION])}]
    for question, result, answer in _EXAMPLES:
        prompt.append({"role": "user", "content": _with_results(question, [result])})
        prompt.append({"role": "assistant", "content": answer})
    questions = [number for number, m in enumerate(messages) if m["role"] == "user"]
    question = content_text(messages[questions[-1]]["content"]) if questions else ""
    since = messages[questions[-1] :] if questions else messages
    results = [content_text(m["content"]) for m in since if m["role"] == "tool"]
    return [*prompt, {"role": "user", "content": _with_results(question, results)}]


def _with_results(question: str, results: list[str]) -> str:
    return "\n".join([f"Question: {question}", *(f"Result: {result}" for result in results)])


def _add_to_question(messages: Messages, text: str) -> None:
    if not messages or messages[-1]["role"] != "user":
        messages.append({"role": "user", "content": text})
        return
    question = messages[-1]
    content = question["content"]
    if isinstance(content, list):
        added: Any = [*content, {"type": "text", "text": f"\n\n{text}"}]
    else:
        added = f"{content}\n\n{text}"
    messages[-1] = question | {"content": added}


def _format_call(call: dict[str, Any]) -> str:
    """Format a call: `calculator(12 * 7)`."""
    function = as_dict(call.get("function"))
    values = as_dict(parse_json(as_str(function.get("arguments")))).values()
    shown = ", ".join(str(value) for value in values)[:_MAX_SHOWN_ARGUMENTS]
    return f"{as_str(function.get('name'))}({shown})"
