"""The wire contract only grows: names, numbers and types that were once published stay.

`contract.txt` lists them. A new field, method or value is added to it by
``python tests/unit/client/test_contract.py``; a line that disappears breaks clients in the field.
"""

from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor

from ferryman.v1 import (
    admin_service_pb2,
    model_pb2,
    options_pb2,
    translation_pb2,
    translation_service_pb2,
)

LISTING = Path(__file__).with_name("contract.txt")
FILES = [model_pb2, options_pb2, translation_pb2, translation_service_pb2, admin_service_pb2]
TYPES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


def contract():
    """Yield a line for each method, field and enum value, as the stubs have them."""
    for file in (module.DESCRIPTOR for module in FILES):
        for service in file.services_by_name.values():
            for method in service.methods:
                yield (
                    f"{method.full_name}: {'stream ' if method.client_streaming else ''}"
                    f"{method.input_type.full_name}"
                    f" -> {'stream ' if method.server_streaming else ''}"
                    f"{method.output_type.full_name}"
                )
        for message in file.message_types_by_name.values():
            for field in message.fields:
                yield f"{field.full_name} = {field.number}: {type_of(field)}"
        for enum in file.enum_types_by_name.values():
            for value in enum.values:
                yield f"{enum.full_name}.{value.name} = {value.number}"


def type_of(field):
    """Return the type of a field as the .proto file writes it."""
    named = field.message_type or field.enum_type
    label = "repeated " if field.is_repeated else ""
    optional = "optional " if field.has_presence and field.message_type is None else ""
    return f"{label or optional}{named.full_name if named else TYPES[field.type]}"


def test_what_was_published_is_still_so():
    gone = set(LISTING.read_text().splitlines()) - set(contract())

    assert not gone, f"clients in the field rely on {sorted(gone)}"


def test_what_is_new_is_listed():
    new = set(contract()) - set(LISTING.read_text().splitlines())

    assert not new, f"run `python {Path(__file__).name}` to list {sorted(new)}"


def test_every_tunable_of_the_search_can_be_left_open():
    for message in (options_pb2.DecodingOptions, options_pb2.Sampling):
        for field in message.DESCRIPTOR.fields:
            unset_differs_from_zero = field.has_presence or field.is_repeated
            is_enum = field.enum_type is not None  # 0 is UNSPECIFIED there
            assert unset_differs_from_zero or is_enum, field.full_name


if __name__ == "__main__":
    LISTING.write_text("".join(f"{line}\n" for line in contract()))
    sys.exit(0)
