"""A pickle read as data: dictionaries, lists, numbers, texts, bytes and arrays, and nothing else can come of it.

Python's own unpickler calls what a file names. To refuse the names is not enough: without any, 70 bytes make it hash
nested tuples for years. So it is not used. `pickletools` takes the file apart into its instructions without carrying
out any, and a machine that knows the few that data need does the rest. It calls nothing that a file names, and time and
memory grow with the file's length alone.

Source: the documentation in Lib/pickletools.py, which defines each instruction.
"""

import pickletools
from dataclasses import dataclass
from typing import Any

# An official batch has 10,000 labels and 10,000 file names; written anew by Python 3, each name takes 8 instructions.
MOST_INSTRUCTIONS = 200_000


class PickleError(ValueError):
    """A pickle that is damaged or holds more than data; the message says what it does."""


@dataclass(eq=False)
class PickledType:
    """What a pickle says of an array's numbers: numpy's short name, such as u1 for uint8."""

    name: Any


@dataclass(eq=False)
class PickledArray:
    """What a pickle says of an array, unchecked: nothing is built from it here."""

    shape: Any = None
    dtype: Any = None
    fortran_order: Any = None
    raw: Any = None


# The names that a file may use, and what they stand for; numpy 2 renamed numpy.core to numpy._core.
ALLOWED_NAMES = {
    "numpy.core.multiarray _reconstruct": "make an array",
    "numpy._core.multiarray _reconstruct": "make an array",
    "numpy ndarray": "the type of an array",
    "numpy dtype": "make a type",
    "_codecs encode": "make bytes",  # how Python 3 spells bytes in a protocol 2 pickle
}


@dataclass(frozen=True)
class _Name:
    """One of the allowed names on the stack."""

    meaning: str


MARK = object()
VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    )
)
PYTHON2_STRINGS = frozenset(("STRING", "BINSTRING", "SHORT_BINSTRING"))
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": MARK, "EMPTY_TUPLE": ()}
SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_pickle(content: bytes) -> Any:
    """The data in a pickle. Strings of Python 2 come as bytes, an array as a `PickledArray`.

    Raises: PickleError for an instruction or a name that data do not need, and for a damaged file.
    """
    machine = _Machine(len(content))
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count == MOST_INSTRUCTIONS:
                raise PickleError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
            machine.step(opcode.name, argument)
        (result,) = machine.stack
    except PickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        # A stack that ran empty, a mark or a memory that is not there, a text that is no number.
        raise PickleError(f"it is damaged ({type(error).__name__})") from error
    if result is MARK:
        raise PickleError("it is damaged (a mark is left)")
    return result


class _Machine:
    """The stack and the memory of what was built, as in pickletools' description."""

    def __init__(self, length: int) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}
        self.may_encode = (
            length  # characters: copying one long text again and again would fill the memory
        )

    def step(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        stack = self.stack
        if name in VALUES:
            stack.append(argument)
        elif name in PYTHON2_STRINGS:
            stack.append(argument.encode("latin-1"))
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memory[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memory[len(self.memory)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memory[argument])
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "TUPLE":
            stack.append(tuple(self.since_mark()))
        elif name in SHORT_TUPLES:
            stack.append(tuple(self.take(SHORT_TUPLES[name])))
        elif name == "LIST":
            stack.append(self.since_mark())
        elif name == "DICT":
            stack.append(self.fill({}, self.since_mark()))
        elif name == "APPEND":
            self.extend(self.take(1))
        elif name == "APPENDS":
            self.extend(self.since_mark())
        elif name == "SETITEM":
            self.fill_last(self.take(2))
        elif name == "SETITEMS":
            self.fill_last(self.since_mark())
        elif name == "GLOBAL":
            stack.append(allowed_name(argument))
        elif name == "STACK_GLOBAL":
            module, attribute = self.take(2)
            stack.append(allowed_name(f"{module:s} {attribute:s}"))
        elif name == "REDUCE":
            stack.append(self.make(*self.take(2)))
        elif name == "BUILD":
            self.describe(*self.take(1))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise PickleError(f"it uses the instruction {name}, which data do not need")

    def take(self, count: int) -> list[Any]:
        """The last `count` values, off the stack."""
        taken = self.stack[-count:]
        if len(taken) < count or any(each is MARK for each in taken):
            raise IndexError
        del self.stack[-count:]
        return taken

    def since_mark(self) -> list[Any]:
        """All values since the last mark, off the stack with it."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                taken = self.stack[place + 1 :]
                del self.stack[place:]
                return taken
        raise IndexError

    def extend(self, values: list[Any]) -> None:
        """Add to the list on top of the stack."""
        if type(self.stack[-1]) is not list:
            raise TypeError
        self.stack[-1].extend(values)

    def fill_last(self, pairs: list[Any]) -> None:
        """Add key, value, key, value ... to the dictionary on top of the stack."""
        if type(self.stack[-1]) is not dict:
            raise TypeError
        self.fill(self.stack[-1], pairs)

    @staticmethod
    def fill(dictionary: dict[Any, Any], pairs: list[Any]) -> dict[Any, Any]:
        """The dictionary with key, value, key, value ... added."""
        keys = pairs[::2]
        if len(pairs) % 2 or any(type(key) not in (bytes, str) for key in keys):
            # Nested tuples can be so made that hashing one as a key takes for ever.
            raise PickleError("it has a dictionary with keys that are no text")
        dictionary.update(zip(keys, pairs[1::2], strict=True))
        return dictionary

    def make(self, name: Any, arguments: Any) -> Any:
        """What one of the allowed names makes of its arguments."""
        meaning = name.meaning if isinstance(name, _Name) else "nothing"
        if type(arguments) is not tuple:
            raise TypeError
        if meaning == "make an array":
            return PickledArray()
        if meaning == "make a type":
            kind = arguments[0]
            return PickledType(kind.decode("ascii") if type(kind) is bytes else kind)
        if meaning == "make bytes":
            text, codec = arguments
            if type(text) is not str or type(codec) is not str:
                raise TypeError
            if codec != "latin1":
                raise PickleError(f"it asks for the codec {codec[:20]!r}")
            self.may_encode -= len(text)
            if self.may_encode < 0:
                raise PickleError("it copies one text again and again")
            return text.encode("latin-1")
        raise PickleError("it calls something that cannot be called")

    def describe(self, state: Any) -> None:
        """Give the array on top of the stack its state; byte order means nothing for one-byte numbers."""
        top = self.stack[-1]
        if isinstance(top, PickledArray):
            _, top.shape, top.dtype, top.fortran_order, top.raw = state
        elif not isinstance(top, PickledType):
            raise PickleError("it changes something that cannot be changed")


def allowed_name(full_name: str) -> _Name:
    """The name as it may stand on the stack. Raises PickleError for any that data do not need."""
    if full_name not in ALLOWED_NAMES:
        raise PickleError(f"it asks for {full_name[:80].replace(' ', '.')}")
    return _Name(ALLOWED_NAMES[full_name])
