"""Requests and responses of `/tools`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backend.tools.approvals import Approval
from backend.tools.tool import Tool

ApprovalField = Annotated[
    Approval,
    Field(
        description="Whether it may run: `ask` waits for the user at each call, `always` does not, "
        "and with `never` the model does not even see it. Until one is set it is `always` for "
        "tools that change nothing, else `ask`."
    ),
]


class ToolDescription(BaseModel):
    """A tool that the API can run."""

    name: str
    title: Annotated[str, Field(description="The display name.")]
    description: Annotated[str, Field(description="The description for the model.")]
    parameters: Annotated[
        dict[str, Any],
        Field(serialization_alias="schema", description="The JSON Schema of its arguments."),
    ]
    source: Annotated[str, Field(description="`built-in`, or the name of an MCP server.")]
    read_only: Annotated[bool, Field(description="Whether it says that it changes nothing.")]
    approval: ApprovalField

    @classmethod
    def of(cls, tool: Tool, approval: Approval) -> "ToolDescription":
        return cls(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            parameters=tool.parameters,
            source=tool.source,
            read_only=tool.read_only,
            approval=approval,
        )


class ToolList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ToolDescription]


class ToolUpdate(BaseModel):
    """A change of a tool."""

    model_config = ConfigDict(extra="forbid")

    approval: ApprovalField
