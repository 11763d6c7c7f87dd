"""Quantities as people write them: what is read, what is refused, and that what is printed can be read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies import units
from topologies.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GiB", 2**30), ("1 gib", 2**30), ("1G", 2**30), ("1GB", 10**9), ("64K", 65536), ("1.5KiB", 1536),
        ("2TiB", 2**41), ("3 MB", 3_000_000), ("7B", 7), ("1e3", 1000), (" 512 ", 512), (2**20, 2**20), (4096.0, 4096),
        ("4 PiB", 2**52),
    ],
)  # fmt: skip
def test_size(text, size):
    assert units.parse_size_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GiB",
        "1 XB",
        "one",
        "1.5",
        "0.3KiB",
        "0",
        "-1",
        "-1GiB",
        "nan",
        "inf",
        "1e400",
        "1GiB 2",
        "8 EiB",
        "1e7TiB",
        True,
    ],
)
def test_size_refused(text):
    with pytest.raises(ConfigError, match="size"):
        units.parse_size_bytes(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("400", 400), ("400Gb/s", 400), ("400 gbps", 400), ("1.6T", 1600), ("1.6 Tbit/s", 1600), ("800G", 800),
        ("250 Mb/s", 0.25), ("50 GB/s", 400), ("50GBps", 400), ("1.8 TB/s", 14400), (100, 100), (12.5, 12.5),
    ],
)  # fmt: skip
def test_rate(text, rate):
    assert units.parse_rate_gbps(text) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize("text", ["", "0", "-400", "nan", "inf", "1e999", "fast", "400 Gb", "400 m", "4 00"])
def test_rate_refused(text):
    with pytest.raises(ConfigError, match="rate"):
        units.parse_rate_gbps(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1 B"),
        (1023, "1,023 B"),
        (1024, "1 KiB"),
        (1.5 * 2**20, "1.5 MiB"),
        (2**30, "1 GiB"),
        (3 * 2**40, "3 TiB"),
    ],
)
def test_format_size(value, text):
    assert units.format_size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ns"),
        (0.5, "500 ns"),
        (1, "1 us"),
        (999, "999 us"),
        (1000, "1 ms"),
        (9502.35, "9.502 ms"),
        (3e6, "3 s"),
    ],
)
def test_format_time(value, text):
    assert units.format_time_us(value) == text


@pytest.mark.parametrize(
    ("value", "power", "usd"),
    [(0, "0 W", "0 $"), (17, "17 W", "17 $"), (23_328, "23.3 kW", "23.3 k$"), (758_272, "758 kW", "758 k$"),
     (1_231_360, "1.23 MW", "1.23 M$")],
)  # fmt: skip
def test_format_power_and_dollars(value, power, usd):
    assert units.format_power_w(value) == power
    assert units.format_usd(value) == usd


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1296, "1,296"), (51.2, "51.2"), (0.992187, "0.9922"), (-12.5, "-12.5"), (100, "100")],
)
def test_format_number(value, text):
    assert units.format_number(value) == text


@given(st.integers(1, 2**62))
def test_a_printed_size_reads_back_within_its_digits(size):
    printed = units.format_size(size).replace(",", "")
    number, unit = printed.split()
    scale = units.parse_size_bytes(f"1{unit}")
    assert float(number) * scale == pytest.approx(size, rel=5.1e-4)


@given(st.integers(1, 2**20), st.sampled_from(["", "B", "KiB", "MB", "K"]))
def test_whole_numbers_are_never_refused(count, unit):
    assert units.parse_size_bytes(f"{count} {unit}") % count == 0
