"""A pickled batch read as data: dictionaries, lists, numbers, texts, bytes and arrays, and nothing else can come of it.

A pickle is a program. Python's unpickler runs it, behind guards that keep time and memory in proportion to the file:
- nothing is imported: the few names that an array needs stand for functions of this file, all others are refused;
- instructions that data do not need are refused and the others counted, as one byte makes an empty list of 56;
- the keys of a dictionary are texts: 70 bytes make nested tuples whose hash takes years;
- no function copies what it is given, and a text is encoded once, however often the file asks for it.
It is the unpickler written in Python: that in C allocates as many places as the largest number in the file says.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass
from typing import Any

# An official batch has 10,000 labels and 10,000 file names; written anew by Python 3, each name takes 8 instructions.
MOST_INSTRUCTIONS = 200_000
# Protocol 0 makes dictionaries in another way, and four bytes of most: no batch in it fits into `MAX_BATCH_BYTES`.
INSTRUCTIONS = {
    name
    for line in (
        "PROTO FRAME STOP MARK PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET",
        "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT",
        "STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8",
        "SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3",
        "EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS",
        "GLOBAL STACK_GLOBAL REDUCE BUILD",
    )
    for name in line.split()
}


class PickleError(ValueError):
    """A pickle that is damaged or holds more than data; the message says what it does."""


@dataclass(eq=False)
class PickledArray:
    """What a pickle says of an array, unchecked: nothing is built from it here."""

    shape: Any = None
    dtype: Any = None  # numpy's short name, such as u1 for uint8; bytes if Python 2 wrote it
    fortran_order: Any = None
    raw: Any = None


def read_pickle(content: bytes) -> Any:
    """The data in a pickle. Strings of Python 2 come as bytes, an array as a `PickledArray`.

    Raises PickleError for an instruction or a name that data do not need, and for a damaged file.
    """
    try:
        for count, (opcode, _, _) in enumerate(pickletools.genops(content)):
            if count == MOST_INSTRUCTIONS:
                raise PickleError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
            if opcode.name not in INSTRUCTIONS:
                raise PickleError(f"it uses the instruction {opcode.name}, which data do not need")
        return _Unpickler(content).load()
    except PickleError:
        raise
    except Exception as error:  # there is no complete list of what a damaged pickle raises
        raise PickleError(f"it is damaged ({type(error).__name__})") from error


class _TextKeys(dict):
    """A dictionary that hashes nothing but texts."""

    __slots__ = ()

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) not in (bytes, str):
            raise PickleError("it has a dictionary with keys that are no text")
        super().__setitem__(key, value)


class _Unpickler(pickle._Unpickler):
    """Python's unpickler with three instructions and all names replaced."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self.encoded: dict[str, bytes] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What one of the allowed names stands for."""
        # numpy 2 renamed numpy.core to numpy._core.
        full_name = f"{module.replace('numpy._core', 'numpy.core')}.{name}"
        if full_name == "numpy.core.multiarray._reconstruct":
            return lambda *_: PickledArray()  # BUILD fills it
        if full_name == "numpy.core.numeric._frombuffer":  # protocol 5
            return lambda raw, dtype, shape, order: PickledArray(shape, dtype, order == "F", raw)
        if full_name == "numpy.ndarray":
            return full_name  # named as a type, never called
        if full_name == "numpy.dtype":
            return lambda dtype, *_: dtype
        if full_name == "_codecs.encode":  # how Python 3 spells bytes in a protocol 2 pickle
            return self.encode
        raise PickleError(f"it asks for {full_name[:80]}")

    def encode(self, text: Any, codec: Any) -> bytes:
        """The text as bytes, the same object for the same text."""
        if type(text) is not str or codec != "latin1":
            raise PickleError("it encodes what is no text, or not as latin1")
        if text not in self.encoded:
            self.encoded[text] = text.encode("latin-1")
        return self.encoded[text]

    def begin_dictionary(self) -> None:
        """Put an empty dictionary on the stack."""
        self.append(_TextKeys())

    def give_state(self) -> None:
        """Give the array on top of the stack its state; that of a type says nothing about one-byte numbers."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is PickledArray:
            _, target.shape, target.dtype, target.fortran_order, target.raw = state
        elif type(target) not in (str, bytes):
            raise PickleError("it changes something that cannot be changed")

    def read_bytes(self) -> None:
        """Read changeable bytes as bytes; Python would make room for them before it knows that they are there."""
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    dispatch = pickle._Unpickler.dispatch | {
        pickle.EMPTY_DICT[0]: begin_dictionary,
        pickle.BUILD[0]: give_state,
        pickle.BYTEARRAY8[0]: read_bytes,
    }
