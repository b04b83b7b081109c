"""One setting, read from whatever a person may write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedd.config import values
from schedd.config.address import Address
from schedd.config.settings import BY_NAME, SETTINGS, Kind

ANYTHING_IN_TOML = st.recursive(
    st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def read(name: str, value: object) -> object:
    return values.read(BY_NAME[name], value)


def complaint(name: str, value: object) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read(name, value)
    return str(caught.value)


def assert_read_or_refused(setting, value):
    said = None
    try:
        values.read(setting, value)
    except ValueError as problem:
        said = str(problem)
    assert said is None or "write" in said or setting.kind is Kind.ZONE


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@given(value=ANYTHING_IN_TOML)
def test_whatever_a_file_holds_is_read_or_refused_with_a_sentence(setting, value):
    assert_read_or_refused(setting, value)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@given(text=st.text(max_size=40))
def test_whatever_the_environment_holds_is_read_or_refused_with_a_sentence(setting, text):
    assert_read_or_refused(setting, values.from_text(setting, text))


@given(st.integers(0, 1 << 40))
def test_a_size_is_read_back_from_how_it_is_shown(size_bytes):
    assert read("output_keep_bytes", values.size_text(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("64K", 65_536), ("1G", 1_073_741_824), ("7", 7), (4096, 4096)]
)
def test_size_units_are_powers_of_1024(text, size_bytes):
    assert read("output_keep_bytes", text) == size_bytes


@pytest.mark.parametrize("text", ["64k", "64KB", "1.5G", "-1", "", "K", 1.5, True, ["64K"]])
def test_a_size_that_is_not_one_is_refused_with_an_example(text):
    assert 'write a size, such as "64K"' in complaint("output_head", text)


@pytest.mark.parametrize("value", [10, "10", 10.0, True, "ten", "10 sec", "", ["10s"]])
def test_a_duration_needs_its_unit(value):
    assert "write a duration with its unit" in complaint("grace", value)


@pytest.mark.parametrize("value", [0, "0", "0s"])
def test_zero_needs_no_unit(value):
    assert read("timeout", value) == 0


def test_a_duration_is_milliseconds():
    assert read("drain", "1m30s") == 90_000


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("max_running", 0, "from 1 to 100000"),
        ("max_held", -1, "from 0 to 1000000"),
        ("fires_max_bytes", "1K", "from 4K to 1024G"),
        ("grace", "2d", "from 0d to 1d"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_the_bounds(name, value, bounds):
    assert bounds in complaint(name, value)


def test_true_is_not_the_number_1():
    assert "write a whole number" in complaint("max_running", True)


@pytest.mark.parametrize("value", ["yes", "1", 1, 0, "True"])
def test_a_flag_is_true_or_false_and_nothing_like_it(value):
    assert "write true or false" in complaint("behind_proxy", value)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8173", "127.0.0.1", 8173, True),
        ("127.9.9.9:0", "127.9.9.9", 0, True),
        ("[::1]:80", "::1", 80, True),
        ("localhost:80", "localhost", 80, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::]:80", "::", 80, False),
        ("db.example.org:80", "db.example.org", 80, False),
    ],
)
def test_an_address_is_a_host_and_a_port(text, host, port, loopback):
    address = read("listen", text)
    assert address == Address(host, port)
    assert address.loopback is loopback
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["8173", ":8173", "127.0.0.1", "::1:80", "a:65536", "a:b", "a b:80", "http://a:80"]
)
def test_an_address_that_is_not_one_is_refused(text):
    assert 'write "HOST:PORT"' in complaint("listen", text)


@pytest.mark.parametrize("name", ["socket", "listen", "python", "node"])
def test_an_empty_text_means_none(name):
    assert read(name, "") is None


@pytest.mark.parametrize("name", ["scripts_dir", "state_dir", "socket", "python", "path"])
def test_a_path_is_absolute(name):
    assert "write a" in complaint(name, "relative/path")


def test_a_socket_path_fits_into_a_socket_name():
    assert read("socket", "/" + "s" * 106) == "/" + "s" * 106
    assert "107 bytes" in complaint("socket", "/" + "s" * 107)
    assert "107 bytes" in complaint("socket", "/" + "ß" * 54)


def test_a_zone_that_does_not_exist_is_refused_with_the_nearest():
    assert "Europe/Berlin" in complaint("timezone", "Europe/Berlim")


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "example.org", "https://example.org/", "https://u:p@example.org", "https://", "ftp://a"],
)
def test_an_origin_is_a_scheme_and_a_host(origin):
    assert "write a list of origins" in complaint("cors_origins", [origin])


def test_origins_and_hosts_are_compared_in_lower_case():
    assert read("cors_origins", ["https://Status.Example.org:8443"]) == ("https://status.example.org:8443",)
    assert read("allowed_hosts", ["Cron.Example.org"]) == ("cron.example.org",)


@pytest.mark.parametrize("uids", [["root"], [-1], [True], [1 << 32], 1000])
def test_a_user_is_a_number(uids):
    assert "write a list of user ids" in complaint("allowed_uids", uids)


@pytest.mark.parametrize("users", [[1000], ["1000"], [""], ["a b"], ["a:b"], ["../a"], "root", [True]])
def test_a_user_to_run_scripts_as_is_a_name(users):
    assert "write a list of user names" in complaint("allowed_users", users)
    assert read("allowed_users", ["backup", "www-data", "ACME\\ann"]) == ("backup", "www-data", "ACME\\ann")


@pytest.mark.parametrize("modules", ["json", ["urllib.request", "a b"], [""], ["a..b"], ["./a"], [1]])
def test_modules_are_given_by_their_names(modules):
    assert "write a list of Python modules" in complaint("python_preload", modules)
    assert read("python_preload", ["re", "urllib.request"]) == ("re", "urllib.request")


def test_a_text_to_redact_is_not_a_part_of_every_word():
    assert "at least 4 characters" in complaint("redact", ["hunter2", "a"])


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("ghp_[0-9", "which is no regular expression: "),
        ("x*", "which matches nothing at all"),
        (r"\Akey", "write ^ and $ for the ends of a line"),
        (r"key\\\Z", "write ^ and $ for the ends of a line"),
        ("(?r)key", "write ^ and $ for the ends of a line"),
        ("x" * 257, "at most 32 patterns of at most 256 characters"),
    ],
)
def test_a_pattern_that_cannot_be_looked_for_in_lines_is_refused(pattern, why):
    assert why in complaint("redact_patterns", ["fine", pattern])


def test_patterns_are_few_and_are_taken_as_they_are_written():
    patterns = ["ghp_[A-Za-z0-9]{36}", r"(?i)^password:\s*\S+$", r"\\A", "Schlüssel=.+"]
    assert values.read(BY_NAME["redact_patterns"], patterns) == tuple(patterns)
    assert "at most 32 patterns" in complaint("redact_patterns", ["abcd"] * 33)


def test_a_list_in_the_environment_is_separated_by_commas():
    assert values.from_text(BY_NAME["allowed_uids"], "1000, 1001") == [1000, 1001]
    assert values.from_text(BY_NAME["redact"], " one , two,") == ["one", "two"]


def test_a_list_in_the_environment_may_be_written_as_in_toml():
    assert values.from_text(BY_NAME["redact"], '["one, two", "three"]') == ["one, two", "three"]


def test_a_malformed_list_in_the_environment_is_refused():
    assert "write a list of texts" in complaint("redact", values.from_text(BY_NAME["redact"], '["one'))
