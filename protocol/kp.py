"""Reads .kp files; protocol/README.md describes the format."""

import re
from pathlib import Path

SCALARS = ("bool", "int8", "int16", "uint16", "int32", "uint32", "int64",
           "float64", "uuid", "string", "bytes", "records", "error")
VERSION_MAX = 127   # stands for "and all later ones"

VERSIONS = re.compile(r"(\d+)(?:(\+)|-(\d+))?$")
TYPE = re.compile(r"(\[)?(\w+)(?(1)\])(?:(\?)(?:(\d+)\+)?)?$")


class KpError(Exception):
    """A .kp file that does not follow the format."""


class Field:
    """One field: a scalar, a struct, or an array of either."""

    def __init__(self, name):
        self.name = name
        self.kind = None        # a word of SCALARS, or "struct"
        self.array = False
        self.struct = None
        self.versions = (0, VERSION_MAX)
        self.null_from = None   # the first version in which null is legal
        self.tag = None
        self.default = None     # as written behind the "="
        self.plain = False      # never in compact form
        self.comment = None

    @property
    def json_name(self):
        first, *rest = self.name.split("_")
        return first + "".join(word.capitalize() for word in rest)


class Struct:
    def __init__(self, name):
        self.name = name        # "" for the message itself
        self.fields = []


class Message:
    """A request, a response, a key, a value or a message of its own."""

    def __init__(self, name, definition, versions, flexible):
        self.name = name
        self.definition = definition
        self.versions = versions
        self.flexible = flexible    # the first flexible version, or None
        self.body = Struct("")
        self.structs = {}           # all but the body, by name

    @property
    def kafka_name(self):
        return "".join(word.capitalize() for word in self.name.split("_"))


class Definition:
    """One .kp file."""

    def __init__(self, path):
        self.path = path
        self.prose = []
        self.kind = None    # api, record, pair or message
        self.log = None     # of records and pairs: which log they are in
        self.key = None     # API key or record type
        self.name = None
        self.versions = None
        self.flexible = None
        self.unstable = None
        self.messages = []


def versions_parse(word):
    first, more, last = VERSIONS.match(word).groups()
    if more:
        return int(first), VERSION_MAX
    return int(first), int(last or first)


def header_parse(definition, words):
    definition.kind = words.pop(0)
    if definition.kind in ("record", "pair"):
        definition.log = words.pop(0)
    if definition.kind != "message":
        definition.key = int(words.pop(0))
    definition.name = words.pop(0)
    options = dict(zip(words[::2], words[1::2]))
    definition.versions = versions_parse(options.pop("versions"))
    if "flexible" in options:
        definition.flexible = versions_parse(options.pop("flexible"))[0]
    if "unstable" in options:
        definition.unstable = int(options.pop("unstable"))
    if options:
        raise KpError("unknown word in the first line: %s" % options)


def message_new(definition, section):
    if section == "fields":
        name = definition.name
    else:
        name = definition.name + "_" + section
    # Keys of coordinator records have one version and are never flexible.
    if section == "key":
        return Message(name, definition, (0, 0), None)
    return Message(name, definition, definition.versions, definition.flexible)


def field_parse(words):
    field = Field(words.pop(0))
    match = TYPE.match(words.pop(0))
    if not match:
        raise KpError("bad type of %s" % field.name)
    array, kind, null, null_from = match.groups()
    field.array = bool(array)
    field.kind = kind
    if null:
        field.null_from = int(null_from or 0)
    while words:
        word = words.pop(0)
        if VERSIONS.match(word):
            field.versions = versions_parse(word)
        elif word == "tag":
            field.tag = int(words.pop(0))
        elif word == "plain":
            field.plain = True
        elif word.startswith("="):
            field.default = word[1:]
        else:
            raise KpError("unknown word: %s" % word)
    return field


class Reader:
    """Reads the lines of one file, keeping the structs that are open."""

    def __init__(self, definition):
        self.definition = definition
        self.message = None
        self.stack = []     # the innermost struct last
        self.comment = None

    def line(self, line):
        text, _, comment = line.partition("#")
        words = text.split()
        if not words:
            self.only_comment(comment.strip())
        elif self.definition.kind is None:
            header_parse(self.definition, words)
        elif not line.startswith(" "):
            self.section(words)
        else:
            self.field((len(text) - len(text.lstrip())) // 2, words,
                       comment.strip())

    def only_comment(self, comment):
        if self.definition.kind is None:
            self.definition.prose.append(comment)
        elif comment:
            self.comment = comment

    def section(self, words):
        if words[0] == "struct":
            self.stack = [self.struct(words[1])]
        else:
            self.message = message_new(self.definition, words[0])
            self.definition.messages.append(self.message)
            self.stack = [self.message.body]

    def struct(self, name):
        return self.message.structs.setdefault(name, Struct(name))

    def field(self, depth, words, comment):
        if not 1 <= depth <= len(self.stack):
            raise KpError("bad indentation of %s" % words[0])
        del self.stack[depth:]
        field = field_parse(words)
        field.comment = comment or self.comment
        self.comment = None
        self.stack[-1].fields.append(field)
        if field.kind not in SCALARS:
            field.struct = self.struct(field.kind)
            field.kind = "struct"
            self.stack.append(field.struct)


def check(message):
    for struct in [message.body, *message.structs.values()]:
        names = [field.name for field in struct.fields]
        if len(names) != len(set(names)):
            raise KpError("%s: struct %s has a field twice, or stands "
                          "for two" % (message.name, struct.name))
        if struct.name and not names:
            raise KpError("%s: struct %s is empty"
                          % (message.name, struct.name))


def definition_read(path):
    definition = Definition(path)
    reader = Reader(definition)
    for number, line in enumerate(path.read_text().split("\n"), 1):
        try:
            reader.line(line)
        except (KpError, AttributeError, IndexError, ValueError) as error:
            raise KpError("%s:%d: %s" % (path, number, error)) from error
    for message in definition.messages:
        check(message)
    return definition


def definitions_read(folder):
    """All definitions below the folder, in a fixed order."""
    paths = sorted(Path(folder).rglob("*.kp"), key=lambda p: str(p))
    return [definition_read(path) for path in paths
            if path.name != "errors.kp"]


def errors_read(path):
    """Rows of errors.kp: code, name, what clients do, text."""
    rows = []
    for line in path.read_text().split("\n"):
        if line.strip() and not line.startswith("#"):
            code, name, action, text = line.split(None, 3)
            rows.append((int(code), name, action, text))
    return rows
