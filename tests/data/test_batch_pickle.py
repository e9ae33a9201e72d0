"""A pickle is read as data: all that data need comes back as Python reads it, and nothing else does anything."""

from __future__ import annotations

import contextlib
import copyreg
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlvc.data.batch_pickle import MOST_INSTRUCTIONS, PickledArray, PickleError, read_pickle

TEXTS = st.binary(min_size=1, max_size=20) | st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(TEXTS, inner, max_size=5)
    ),
    max_leaves=20,
)


@given(VALUES, st.integers(1, 5))  # in protocol 0 no batch fits into 40 MB
def test_data_come_back_as_python_reads_them(value, protocol):
    assert read_pickle(pickle.dumps(value, protocol=protocol)) == value


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_one_object_named_twice_comes_back_twice(values):
    assert read_pickle(pickle.dumps([values, values])) == [values, values]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("module", [b"numpy.core.", b"numpy._core."])
def test_an_array_is_described_and_not_built(protocol, module):
    """In the spelling of numpy 1 and of numpy 2, whichever is here."""
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    content = pickle.dumps([pixels], protocol=protocol)
    other = b"numpy._core." if module == b"numpy.core." else b"numpy.core."
    if protocol < 4:  # from 4 on the file holds the length of a name
        content = content.replace(other, module)
    (array,) = read_pickle(content)
    assert type(array) is PickledArray
    assert (array.shape, array.dtype, array.fortran_order) == ((2, 3), "u1", False)
    assert (type(array.raw), array.raw) == (bytes, pixels.tobytes())


def test_strings_of_python_2_are_bytes():
    content = b"\x80\x02](U\x03a\xe4bT\x01\x00\x00\x00cS'd'\ne."
    assert read_pickle(content) == [b"a\xe4b", b"c", b"d"]


@given(st.binary(max_size=60))
@example(b"\x80\x02(.")
@example(b"\x80\x02(q\x00.")
@example(b"0.")
@example(b"\x80\x02c_codecs\nencode\n(]X\x06\x00\x00\x00latin1tR.")
def test_any_bytes_are_read_or_refused_in_words(content):
    with contextlib.suppress(PickleError):  # any other error fails the test
        read_pickle(content)


@given(VALUES, st.data())
def test_a_damaged_pickle_is_read_or_refused_in_words(value, data):
    content = bytearray(pickle.dumps(value, protocol=data.draw(st.integers(0, 5))))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    with contextlib.suppress(PickleError):
        read_pickle(bytes(content))


class Reduced:
    """Pickled as a call of `function`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.mkdir, "mkdir"), (os.system, "system"), (eval, "eval"), (exec, "exec"), (np.load, "load"),
     (np.zeros, "zeros"), (np.save, "save"), (copyreg._reconstructor, "_reconstructor"), (bytearray, "bytearray")],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_call_is_refused_and_not_made(tmp_path, protocol, function, name):
    marker = tmp_path / "marker"
    content = pickle.dumps(Reduced(function, str(marker)), protocol=protocol)
    with pytest.raises(PickleError, match=rf"it asks for .*\.{name}"):
        read_pickle(content)
    assert not marker.exists()
    if function is os.mkdir:
        pickle.loads(content)
        assert marker.exists()  # the attack itself works


# Tuples that each hold the one before twice: the last, number 60, has 2 ** 60 members.
DOUBLED = b")q\x00" + b"".join(
    bytes([ord("h"), i, ord("h"), i, 0x86, ord("q"), i + 1]) for i in range(60)
)
LATIN1 = b"X\x06\x00\x00\x00latin1"
ENCODE = b"c_codecs\nencode\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x02" + DOUBLED + b"}h\x3cK\x01s.", "a dictionary with keys that are no text"),
        (b"\x80\x02" + DOUBLED + b"(h\x3cNd.", "the instruction DICT"),
        (b"\x80\x02}" + b")\x85" + b"\x85" * 100_000 + b"Ns.", "keys that are no text"),
        (b"\x80\x02" + DOUBLED + ENCODE + b"h\x3c" + LATIN1 + b"\x86R.", "it encodes what is no text"),
        (b"\x80\x02" + ENCODE + b"X\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "it encodes what is"),
        (b"\x80\x02]" + b"N" * MOST_INSTRUCTIONS + b".", "it has more than 200,000 instructions"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.", "it is damaged"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"a.", "it is damaged"),
        (b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"a.", "it is damaged"),
        (b"\x80\x02ccollections\nOrderedDict\n.", "it asks for collections.OrderedDict"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "it uses the instruction NEWOBJ"),
        (b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.", "it is damaged"),
        (b"\x80\x02]Nb.", "it changes something that cannot be changed"),
        (b"\x80\x02" + ENCODE + b"}U\x01aNsb.", "it changes something that cannot be changed"),
        (b"\x80\x02" + RECONSTRUCT + b"N}U\x08__code__Ns\x86b.", "it changes something that cannot be"),
        (b"\x80\x02" + RECONSTRUCT + b")RNb.", "it is damaged"),
        (b"\x80\x02\x82\x01.", "it uses the instruction EXT1"),
        (b"P1\n.", "it uses the instruction PERSID"),
        (b"\x80\x02NQ.", "it uses the instruction BINPERSID"),
        (b"\x80\x05\x97.", "it uses the instruction NEXT_BUFFER"),
        (b"\x80\x04\x8f.", "it uses the instruction EMPTY_SET"),
        (b"cos\nsystem\n(S'true'\ntR.", "it asks for os.system"),
        (b"(S'true'\nios\nsystem\n.", "it uses the instruction INST"),
        (b"(cos\nsystem\nS'true'\no.", "it uses the instruction OBJ"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_data_do_not_need_is_refused_at_once(content, reason):
    with pytest.raises(PickleError, match=reason):
        read_pickle(content)


TEXT = b"X\xff\xff\x00\x00" + b"a" * 65535
SMALL_FILES = {
    "a memory number": b"\x80\x02]r\xff\xff\xff\x7f.",
    "a huge shape": b"\x80\x02" + RECONSTRUCT + b"cnumpy\nndarray\n\x8a\x05\x00\x00\x00\x00\x10\x85U\x01b\x87R.",
    "a text encoded a thousand times": b"\x80\x02(" + ENCODE + b"q\x00" + TEXT + b"q\x01" + LATIN1
    + b"q\x02\x86q\x03" + b"h\x00h\x03R" * 1000 + b"t.",
    "a type named a thousand times": b"\x80\x02(cnumpy\ndtype\nq\x00" + TEXT + b"q\x01\x85q\x03"
    + b"h\x00h\x03R" * 1000 + b"t.",
    "tuples doubled": b"\x80\x02" + DOUBLED + b".",
    "lists in lists": b"\x80\x02" + b"]" * 99_000 + b"a" * 98_999 + b".",
    "tuples in tuples": b"\x80\x02)" + b"\x85" * 100_000 + b".",
    "arrays in arrays": b"\x80\x02" + (RECONSTRUCT + b")R(NNNN") * 9_000 + b"N" + b"tb" * 9_000 + b".",
}  # fmt: skip


@pytest.mark.parametrize("content", SMALL_FILES.values(), ids=SMALL_FILES)
def test_a_small_file_takes_little_memory(content):
    tracemalloc.start()
    try:
        read_pickle(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20
