"""Presets: named sets of sampling parameters, listed, kept and deleted."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator, create_model
from pydantic_core import PydanticCustomError, from_json, to_json
from starlette.convertors import Convertor, register_url_convertor

from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.json_route import MAX_VALIDATION_ERRORS
from backend.http.strict_json import StrictJsonRouter
from backend.presets.repository import MAX_PRESETS, Preset, PresetRepository
from backend.protocol import CompletionRequest
from backend.state import AppStateDep

MAX_PARAMETER_BYTES = 64 * 1024
# What is said, to whom, and how the answer comes, is not how it is drawn.
_NON_PARAMETERS = {"messages", "model", "stream", "smolchat"}


class _AnyText(Convertor[str]):
    """Takes what follows with its slashes and line ends, which Starlette's own `path` cuts off."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _AnyText())
router = StrictJsonRouter(prefix="/presets", tags=["presets"], responses=DATABASE_RESPONSES)


async def _presets(state: AppStateDep) -> PresetRepository:
    return PresetRepository(state.database)


PresetRepositoryDep = Annotated[PresetRepository, Depends(_presets)]
Name = Annotated[
    str,
    Path(
        min_length=1,
        max_length=60,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        description="The preset's name: no control characters.",
    ),
]
PresetParameters: type[BaseModel] = create_model(
    "PresetParameters",
    __config__=ConfigDict(extra="allow", allow_inf_nan=False),
    __doc__="Fields of a chat request; those that are not named here are kept as they are.",
    **{  # type: ignore[call-overload]  # what create_model takes, mypy cannot see
        name: (field.annotation, field)
        for name, field in CompletionRequest.model_fields.items()
        if name not in _NON_PARAMETERS
    },
)


def _check_size(told: Any, validate: Any) -> Any:
    """Refuse what is no set of parameters before it costs much."""
    if isinstance(told, dict) and (other := sorted(_NON_PARAMETERS & told.keys())):
        raise PydanticCustomError(
            "no_parameter", f"{other[0]} is no sampling parameter; leave it out"
        )
    if len(raw := to_json(told)) > MAX_PARAMETER_BYTES:
        raise PydanticCustomError(
            "too_large", f"must be at most {MAX_PARAMETER_BYTES:,} bytes of JSON"
        )
    try:
        from_json(raw, allow_inf_nan=False)  # 1e999 was read as infinite
    except ValueError:
        raise PydanticCustomError("infinite", "holds a number that is too large") from None
    try:
        return validate(told)
    except ValidationError as error:
        if error.error_count() > MAX_VALIDATION_ERRORS:
            raise PydanticCustomError(
                "too_wrong", "are wrong in very many places; see /docs"
            ) from None
        raise


class NewPreset(BaseModel):
    """What is kept under a name."""

    model_config = ConfigDict(extra="forbid")

    parameters: Annotated[
        PresetParameters,  # type: ignore[valid-type]  # made above
        WrapValidator(_check_size),
        Field(description=f"Sampling parameters: at most {MAX_PARAMETER_BYTES:,} bytes of JSON."),
    ]

    def parameters_json(self) -> dict[str, Any]:
        """Give what was set, as JSON."""
        told: dict[str, Any] = self.model_dump(mode="json", exclude_unset=True)["parameters"]
        return told


class PresetList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Preset]


@router.get("")
async def list_presets(presets: PresetRepositoryDep) -> PresetList:
    """List the presets by name."""
    return PresetList(data=await presets.list_all())


@router.put(
    "/{name:text}",
    responses=error_responses(415),
    description=f"Keep a set of parameters, in place of one of this name; at most {MAX_PRESETS}.",
)
async def put_preset(name: Name, preset: NewPreset, presets: PresetRepositoryDep) -> Preset:
    return await presets.upsert(name, preset.parameters_json())


@router.delete("/{name:text}", status_code=204, responses=error_responses(404))
async def delete_preset(name: Name, presets: PresetRepositoryDep) -> None:
    """Forget a preset."""
    await presets.delete(name)
