"""Field types that every noun's schemas share; the shapes are those of docs/formats.md."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Word = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$"), Field(description="32 bytes, lower-case hex with 0x")]
Signature = Annotated[
    str, StringConstraints(pattern=r"^0x[0-9a-f]{128,146}$"), Field(description="SM2 signature, r‖s (64 bytes) or DER")
]
PublicKey = Annotated[
    str, StringConstraints(pattern=r"^0x[0-9a-f]{66,130}$"), Field(description="SM2 key: x‖y, 04‖x‖y or compressed")
]
Message = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-f]{64}){1,16}$"), Field(description="Words that were signed")]
KeyId = Annotated[str, StringConstraints(pattern=r"^(practitioner|subject|organisation):0x[0-9a-f]{64}$")]
Uint = Annotated[int, Field(ge=0, lt=2**53)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Cursor = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,18}(-[0-9]{1,18})?$"), Field(description="From `next` of the page before")
]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Model(BaseModel):
    """Base of every body we read or write: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
