"""Converts an AG-UI run request to a chat request."""

from typing import Any

from backend.agui.protocol import (
    AssistantMessage,
    Content,
    ContentPart,
    Context,
    DisplayMessage,
    InstructionMessage,
    Message,
    ResumeEntry,
    RunAgentInput,
    RunOptions,
    Tool,
    ToolMessage,
)
from backend.chat.thread import ThreadRequest
from backend.errors import InvalidResumeError
from backend.http.json_route import validate_request
from backend.json_values import as_dict
from backend.protocol import ChatCompletionRequest

_INVALID_PAYLOAD = (
    'The payload of interrupt {} is {{"approved": true}} or {{"approved": false}}; the first one '
    "may have the arguments in `editedArgs`."
)


def thread_request(run: RunAgentInput) -> ThreadRequest:
    """Return the chat request of a run.

    Raises:
        InvalidResumeError: The response to an interrupt is not valid.
        RequestValidationError: The fields are not valid together.
    """
    sent = [message for message in run.messages if not isinstance(message, DisplayMessage)]
    ids = [message.id for message in sent]
    messages = [_chat_message(message) for message in sent]
    system_prompt = "\n\n".join(m.content for m in sent if isinstance(m, InstructionMessage))
    if run.context:
        _add_context(messages, ids, run.context)
    props = run.forwarded_props
    fields = props.model_dump(exclude_unset=True, exclude={"smolchat"})
    if run.tools:
        fields["tools"] = [_function(tool) for tool in run.tools]
    options = props.smolchat or RunOptions()
    fields |= {"messages": messages, "stream": True, "smolchat": _extensions(run, options)}
    return ThreadRequest(
        thread_id=run.thread_id,
        message_ids=ids,
        chat=validate_request(ChatCompletionRequest, fields),
        system_prompt=system_prompt or None,
        detach=options.detach,
    )


def _extensions(run: RunAgentInput, options: RunOptions) -> dict[str, Any]:
    approvals = {entry.interrupt_id: _decision(entry) for entry in run.resume or ()}
    fields = options.model_dump(exclude={"detach"})
    return fields | {"separate_reasoning": True, "approvals": approvals}


def _decision(entry: ResumeEntry) -> Any:
    """Return the approval of a call, as in `smolchat.approvals`."""
    payload = as_dict(entry.payload)
    approved, edited = payload.get("approved"), payload.get("editedArgs")
    if entry.status == "cancelled" or approved is False:
        return "deny"
    if approved is not True or not isinstance(edited, dict | None):
        raise InvalidResumeError(_INVALID_PAYLOAD.format(f"{entry.interrupt_id!r:.80}"))
    return "allow" if edited is None else {"arguments": edited}


def _chat_message(message: Message) -> dict[str, Any]:
    """Return a message in OpenAI's format."""
    if isinstance(message, AssistantMessage):
        calls = [
            {"id": call.id, "type": "function", "function": call.function.model_dump()}
            for call in message.tool_calls or ()
        ]
        answer: dict[str, Any] = {"role": "assistant", "content": message.content or ""}
        return answer | ({"tool_calls": calls} if calls else {})
    if isinstance(message, ToolMessage):
        content = _chat_content(message.content) or message.error or ""
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}
    assert not isinstance(message, DisplayMessage)  # noqa: S101  # left out before
    return {"role": message.role, "content": _chat_content(message.content)}


def _chat_content(content: Content) -> str | list[dict[str, Any]]:
    return content if isinstance(content, str) else [_chat_part(part) for part in content]


def _chat_part(part: ContentPart) -> dict[str, Any]:
    """Return a part of a message in OpenAI's format."""
    source = part.source
    if part.type == "text":
        return {"type": "text", "text": part.text or ""}
    if part.type == "image" and source and source.type in ("data", "url"):
        url = source.value
        if source.type == "data":
            url = f"data:{source.mime_type or 'image/png'};base64,{url}"
        return {"type": "image_url", "image_url": {"url": url}}
    if part.type == "audio" and source and source.type == "data":
        audio_format = (source.mime_type or "audio/wav").partition("/")[2]
        return {
            "type": "input_audio",
            "input_audio": {"data": source.value, "format": audio_format},
        }
    return {"type": "text", "text": f"[{part.type}]"}


def _add_context(messages: list[dict[str, Any]], ids: list[str], context: list[Context]) -> None:
    """Append the context to the leading system message, or insert one."""
    text = "\n\n".join(f"{entry.description}\n{entry.value}" for entry in context)
    if messages and messages[0]["role"] in ("system", "developer"):
        messages[0]["content"] += f"\n\n{text}"
    else:
        messages.insert(0, {"role": "system", "content": text})
        ids.insert(0, "")


def _function(tool: Tool) -> dict[str, Any]:
    return {"type": "function", "function": tool.model_dump(exclude_none=True)}
