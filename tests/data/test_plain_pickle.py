"""A pickle is read as data: all that data need comes back as Python reads it, and nothing else does anything."""

import contextlib
import pickle
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlvc.data.plain_pickle import MOST_INSTRUCTIONS, PickledArray, PickleError, read_pickle

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


@given(VALUES, st.integers(0, 5))
def test_data_come_back_as_python_reads_them(value, protocol):
    assert read_pickle(pickle.dumps(value, protocol=protocol)) == value


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_one_object_named_twice_comes_back_twice(values):
    assert read_pickle(pickle.dumps([values, values])) == [values, values]


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_an_array_is_described_and_not_built(protocol):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    array = read_pickle(pickle.dumps(pixels, protocol=protocol))
    assert type(array) is PickledArray
    assert (array.shape, array.dtype.name, array.fortran_order) == ((2, 3), "u1", False)
    assert array.raw == pixels.tobytes()


def test_strings_of_python_2_are_bytes():
    assert read_pickle(b"\x80\x02](U\x03a\xe4bT\x01\x00\x00\x00cS'd'\ne.") == [
        b"a\xe4b",
        b"c",
        b"d",
    ]


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


# Tuples that each hold the one before twice: the last, number 60, has 2 ** 60 members.
DOUBLED = b")q\x00" + b"".join(
    bytes([ord("h"), i, ord("h"), i, 0x86, ord("q"), i + 1]) for i in range(60)
)
LATIN1 = b"X\x06\x00\x00\x00latin1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x02" + DOUBLED + b"}h\x3cK\x01s.", "it has a dictionary with keys that are no text"),
        (b"\x80\x02" + DOUBLED + b"c_codecs\nencode\nh\x3c" + LATIN1 + b"\x86R.", "it is damaged"),
        (
            b"\x80\x02(c_codecs\nencode\nq\x00X\xff\xff\x00\x00" + b"a" * 65535 + b"q\x01"
            + LATIN1 + b"q\x02\x86q\x03" + b"h\x00h\x03R" * 1000 + b"t.",
            "it copies one text again and again",
        ),
        (b"\x80\x02]" + b"N" * MOST_INSTRUCTIONS + b".", "it has more than 200,000 instructions"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.", "it is damaged"),
        (b"\x80\x02ccollections\nOrderedDict\n.", "it asks for collections.OrderedDict"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "it uses the instruction NEWOBJ"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "it calls something that cannot be called"),
        (b"\x80\x02]Nb.", "it changes something that cannot be changed"),
        (b"cos\nsystem\n(S'true'\ntR.", "it asks for os.system"),
        (b"(S'true'\nios\nsystem\n.", "it uses the instruction INST"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_data_do_not_need_is_refused_at_once(content, reason):
    with pytest.raises(PickleError, match=reason):
        read_pickle(content)


def test_a_memory_number_costs_nothing():
    assert read_pickle(b"\x80\x02]r\xff\xff\xff\x7f.") == []
