"""Compile the `.proto` files into `thanosql_proto`: descriptor set and type stubs.

`python proto/compile.py` writes them, `--check` says whether they are up to date
(exit code 1 if not). Needs grpcio-tools, which brings protoc; nobody else does.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

HERE = Path(__file__).parent
PACKAGE = HERE / "thanosql_proto"
SOURCES = (
    "flight.proto",
    "flight_sql.proto",
    "flight_sql_info.proto",
    "thanosql.proto",
)
ANY = "google/protobuf/any.proto"

F = FieldDescriptorProto
SCALARS = {
    F.TYPE_STRING: "str",
    F.TYPE_BYTES: "bytes",
    F.TYPE_BOOL: "bool",
    F.TYPE_DOUBLE: "float",
    F.TYPE_ENUM: "int",
    F.TYPE_INT32: "int",
    F.TYPE_INT64: "int",
    F.TYPE_UINT32: "int",
    F.TYPE_SFIXED64: "int",
}


def compile_descriptors() -> FileDescriptorSet:
    """Run protoc over the sources and return the descriptor set."""
    includes = resources.files("grpc_tools") / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "descriptors.binpb"
        arguments = [f"-I{HERE}", f"-I{includes}", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *arguments, ANY, *SOURCES]):
            raise SystemExit("protoc refused the sources; its message is above")
        return FileDescriptorSet.FromString(out.read_bytes())


def stub_of_file(file: FileDescriptorProto) -> str:
    """Return the text of the `.pyi` stub for a file's messages and enums."""
    return "\n".join(
        [
            f'"""Stub of {file.name}; written by proto/compile.py, do not edit."""',
            "",
            "from collections.abc import Iterable, Mapping",
            "from collections.abc import MutableMapping, MutableSequence",
            "from enum import IntEnum",
            "from typing import ClassVar",
            "",
            "from thanosql_proto.message import Message",
            "",
            *(line for enum in file.enum_type for line in stub_of_enum(enum)),
            *(line for m in file.message_type for line in stub_of_message(m)),
        ]
    )


def stub_of_enum(enum: EnumDescriptorProto) -> list[str]:
    """Return the lines of a top-level enum."""
    members = [f"    {value.name} = {value.number}" for value in enum.value]
    return [f"class {enum.name}(IntEnum):", *members, ""]


def stub_of_message(message: DescriptorProto) -> list[str]:
    """Return the lines of a message: nested ones, constants, fields, constructor."""
    maps = {m.name: m for m in message.nested_type if m.options.map_entry}
    nested = [m for m in message.nested_type if m.name not in maps]
    body = [line for m in nested for line in stub_of_message(m)]
    body += [f"{v.name}: ClassVar[int]" for e in message.enum_type for v in e.value]
    arguments = []
    for field in message.field:
        read, write = types_of_field(field, maps)
        body += attribute(field, read)
        arguments.append(f"{field.name}: {write} | None = ...")
    signature = ", ".join(["self", *(["*", *arguments] if arguments else [])])
    body.append(f"def __init__({signature}) -> None: ...")
    return [f"class {message.name}(Message):", *(f"    {b}" for b in body), ""]


def attribute(field: FieldDescriptorProto, read: str) -> list[str]:
    """Return how a field is declared; only single scalars may be assigned to."""
    if field.label != F.LABEL_REPEATED and field.type != F.TYPE_MESSAGE:
        return [f"{field.name}: {read}"]
    return ["@property", f"def {field.name}(self) -> {read}: ..."]


def types_of_field(
    field: FieldDescriptorProto, maps: dict[str, DescriptorProto]
) -> tuple[str, str]:
    """Return the Python types of a field when read and when given to __init__."""
    name = type_name(field)
    if name in maps:
        key, value = (type_name(f) for f in maps[name].field)
        return f"MutableMapping[{key}, {value}]", f"Mapping[{key}, {value}]"
    if field.label == F.LABEL_REPEATED:
        return f"MutableSequence[{name}]", f"Iterable[{name}]"
    return name, name


def type_name(field: FieldDescriptorProto) -> str:
    """Return the Python name of a field's own type, without its repetition."""
    if field.type == F.TYPE_MESSAGE:
        return str(field.type_name.rpartition(".")[2])
    return SCALARS[field.type]


def outputs() -> dict[Path, bytes]:
    """Return what every generated file should hold."""
    descriptors = compile_descriptors()
    ours = [file for file in descriptors.file if file.name in SOURCES]
    stubs = {
        PACKAGE / file.name.replace(".proto", ".pyi"): stub_of_file(file).encode()
        for file in ours
    }
    compiled = descriptors.SerializeToString(deterministic=True)
    return {PACKAGE / "descriptors.binpb": compiled, **stubs}


def main(arguments: list[str]) -> int:
    """Write the generated files, or compare them with `--check`."""
    wanted = outputs()
    stale = [p for p, d in wanted.items() if not p.exists() or p.read_bytes() != d]
    if arguments == ["--check"]:
        names = ", ".join(path.name for path in stale)
        sys.stderr.write(f"stale: {names}; run make proto\n" if stale else "")
        return 1 if stale else 0
    for path in stale:
        path.write_bytes(wanted[path])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
