"""HTTP routes of presets: list, save and delete named sets of sampling parameters."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)
from pydantic_core import PydanticCustomError, from_json, to_json

from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.json_route import MAX_VALIDATION_ERRORS
from backend.http.strict_json import StrictJsonRouter
from backend.presets.repository import MAX_PRESETS, Preset, PresetRepository
from backend.protocol import CompletionRequest
from backend.state import AppStateDep

MAX_PARAMETER_BYTES = 64 * 1024
# Fields of a completion request that do not affect sampling.
_NON_PARAMETERS = {"messages", "model", "stream"}

router = StrictJsonRouter(prefix="/presets", tags=["presets"], responses=DATABASE_RESPONSES)


async def _repository(state: AppStateDep) -> PresetRepository:
    return PresetRepository(state.database)


PresetRepositoryDep = Annotated[PresetRepository, Depends(_repository)]
Name = Annotated[
    str,
    Path(
        min_length=1,
        max_length=60,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        description="The name of the preset, without control characters.",
    ),
]


class PresetExtensions(BaseModel):
    """The part of `smolchat` that a preset can have."""

    model_config = ConfigDict(extra="forbid")

    tools: Annotated[
        list[Annotated[str, Field(max_length=200)]],
        Field(max_length=128, description="The tools of `GET /tools` that are on."),
    ] = []
    system_prompt: Annotated[
        str | None,
        Field(max_length=100_000, description="Sent to the model before all messages."),
    ] = None


PresetParameters: type[BaseModel] = create_model(
    "PresetParameters",
    __config__=ConfigDict(extra="allow", allow_inf_nan=False),
    __doc__="Fields of a chat request. Fields that are not listed here are stored as they are.",
    **{  # type: ignore[call-overload]  # mypy cannot check create_model's fields
        name: (field.annotation, field)
        for name, field in CompletionRequest.model_fields.items()
        if name not in {*_NON_PARAMETERS, "smolchat"}
    },
    smolchat=(PresetExtensions, PresetExtensions()),
)


def _check_parameters(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Check the whole value, cheapest checks first, before validating each parameter."""
    if isinstance(value, dict) and (unsupported := sorted(_NON_PARAMETERS & value.keys())):
        raise PydanticCustomError(
            "not_a_parameter", f"{unsupported[0]} is not a sampling parameter; remove it"
        )
    if len(raw := to_json(value)) > MAX_PARAMETER_BYTES:
        raise PydanticCustomError(
            "too_large", f"must be at most {MAX_PARAMETER_BYTES:,} bytes of JSON"
        )
    try:
        from_json(raw, allow_inf_nan=False)  # 1e999 was parsed as infinity
    except ValueError:
        raise PydanticCustomError("infinite", "contains a number that is too large") from None
    try:
        return validate(value)
    except ValidationError as error:
        if error.error_count() > MAX_VALIDATION_ERRORS:
            raise PydanticCustomError(
                "too_many_errors", "has too many errors; see /docs for the parameters"
            ) from None
        raise


class NewPreset(BaseModel):
    """The parameters to save under the preset's name."""

    model_config = ConfigDict(extra="forbid")

    parameters: Annotated[
        PresetParameters,  # type: ignore[valid-type]  # created above
        WrapValidator(_check_parameters),
        Field(description=f"Sampling parameters: at most {MAX_PARAMETER_BYTES:,} bytes of JSON."),
    ]

    def parameters_json(self) -> dict[str, Any]:
        """Return the parameters that were set, as JSON values."""
        parameters: dict[str, Any] = self.model_dump(mode="json", exclude_unset=True)["parameters"]
        return parameters


class PresetList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Preset]


@router.get("")
async def list_presets(repository: PresetRepositoryDep) -> PresetList:
    """List all presets, sorted by name."""
    return PresetList(data=await repository.list_all())


@router.put(
    "/{name:path}",
    responses=error_responses(415),
    description=f"Save a preset, replacing one of the same name. At most {MAX_PRESETS} are stored.",
)
async def put_preset(name: Name, preset: NewPreset, repository: PresetRepositoryDep) -> Preset:
    return await repository.upsert(name, preset.parameters_json())


@router.delete("/{name:path}", status_code=204, responses=error_responses(404))
async def delete_preset(name: Name, repository: PresetRepositoryDep) -> None:
    """Delete a preset."""
    await repository.delete(name)
