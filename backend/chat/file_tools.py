"""Let the model search the files of a request itself, in a chat with tools."""

from backend.errors import InvalidRequestError
from backend.files.answers.selection import PARAM
from backend.files.lifespan import FileState
from backend.protocol import ChatExtensionOptions
from backend.tools.builtin.search_files import NAME, search_files_tool
from backend.tools.registry import ToolRegistry

_OWN_SEARCH = (
    f"With tools, the model searches the files itself, by {NAME}. Omit mode and task, or the tools."
)


async def offer_file_search(
    registry: ToolRegistry, options: ChatExtensionOptions, files: FileState
) -> tuple[ToolRegistry, ChatExtensionOptions]:
    """Return the tools and options of a request whose `search_files` searches its files, if any.

    Raises:
        SmolChatError: The files cannot be searched.
    """
    if options.file_search is None:
        return registry, options
    if options.file_search.mode != "auto" or options.file_search.task is not None:
        raise InvalidRequestError(_OWN_SEARCH, param=PARAM)
    selected = await files.answers.select(options.file_search)
    names = options.tools or []
    tools = names if names == "all" else [*names, NAME]
    tool = search_files_tool(files, selected.names)
    return registry.with_tool(tool), options.model_copy(update={"tools": tools})
