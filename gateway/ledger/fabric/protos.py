"""Fabric's messages, made from descriptors at run time; there is no generated code.

``fabric.protoset`` is written by ``tools/protoset`` from the pinned Go module ``fabric-protos-go-apiv2``; its digest is below,
and a test makes it again. The messages live in a pool of their own, so that they cannot collide with another package's.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DIGEST = "30f82dca3671f22dfd0e3b6af994a76089d3d9da34800726760273b5c94a56fa"
"""SHA-256 of the descriptor set."""


def descriptors() -> bytes:
    """The descriptor set as it lies in the package."""
    return files(__package__).joinpath("fabric.protoset").read_bytes()


@cache
def message(name: str) -> Any:
    """The class of a message by its full protobuf name, for example ``common.Envelope``. KeyError for an unknown one."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


@cache
def numbers(enum: str) -> dict[int, str]:
    """Names of an enumeration by number, for example of ``protos.TxValidationCode``."""
    return {v.number: v.name for v in _pool().FindEnumTypeByName(enum).values}


@cache
def _pool() -> Any:
    pool: Any = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors()).file:
        pool.Add(file)
    return pool
