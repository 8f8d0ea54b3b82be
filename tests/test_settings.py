import math
import re
from datetime import timedelta
from typing import Any

import pytest

import trialscrape
from trialscrape.errors import SettingsError
from trialscrape.settings import Settings


def test_the_defaults_are_polite() -> None:
    plain = Settings()
    assert (plain.rate, plain.concurrency, plain.body_limit, plain.redirects) == (1.0, 2, 20_000_000, 5)
    assert (plain.max_age, plain.title_length, plain.forbidden_path) == (timedelta(days=7), 100, "/study-search")
    assert plain.study_url("a/b é") == "https://ctv.veeva.com/study/a%2Fb%20%C3%A9"
    assert plain.registry_url("NCT99000001") == "https://clinicaltrials.gov/api/v2/studies/NCT99000001"
    assert plain.registry_list_url(["NCT99000001", "NCT99000002"]) == (
        "https://clinicaltrials.gov/api/v2/studies?filter.ids=NCT99000001,NCT99000002&pageSize=1000"
    )
    assert "(" not in plain.user_agent


def test_settings_come_from_the_environment() -> None:
    environ = {
        "TRIALSCRAPE_RATE": " 0.5 ",
        "TRIALSCRAPE_RETRIES": "0",
        "TRIALSCRAPE_MAX_AGE": "12h",
        "TRIALSCRAPE_SITE": "http://127.0.0.1:8000/",
        "TRIALSCRAPE_CONTACT": "",
        "PATH": "/bin",
    }
    made = Settings.from_environment(environ, rate=2.0)
    assert made == Settings(rate=2.0, retries=0, max_age=timedelta(hours=12), site="http://127.0.0.1:8000/")
    assert made.study_url("a") == "http://127.0.0.1:8000/study/a"


ORIGIN = "scheme and host, as https://ctv.veeva.com"
PROXY = "an address as http://host:3128"
CONTACT = "printable ASCII without brackets and backslashes"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("rate", "quick", "a number"),
        ("rate", "0", "a number above 0"),
        ("rate", "nan", "a number above 0"),
        ("rate", "1e-12", "a number from 1e-09 to 1e+09"),
        ("read_timeout", "1e300", "a number from 1e-09 to 1e+09"),
        ("concurrency", "1.5", "a whole number"),
        ("concurrency", "0", "a number above 0"),
        ("registry_batch", "0", "a number above 0"),
        ("registry_batch", "1001", "a number from 1 to 1000"),
        ("retries", "-1", "a number of 0 or more"),
        ("max_age", "7w", "an age as 7d, 12h, 30m or 0"),
        ("site", "ftp://x", ORIGIN),
        ("site", "http://x/y", ORIGIN),
        ("site", "http://x:99999", ORIGIN),
        ("site", "https://me:secret@x", ORIGIN),
        ("registry", "x", ORIGIN),
        ("proxy", "host:3128", PROXY),
        ("proxy", "http://h:0", PROXY),
        ("proxy", "socks5://a:b@h", PROXY),
        ("proxy", "http://a:b@h/x", PROXY),
        ("study_path", "study", "a path that starts with /"),
        ("contact", "a\nb", CONTACT),
        ("contact", "(a)", CONTACT),
    ],
)
def test_a_bad_setting_is_reported_without_its_password(name: str, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({f"TRIALSCRAPE_{name.upper()}": text})
    shown = re.sub("//.*@", "//***@", text)
    assert str(caught.value) == f"setting {name}: expected {expected}, found {shown!r}"


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:3128", "http://me:secret@proxy.example/"])
def test_a_proxy_may_be_named_and_is_not_shown(proxy: str) -> None:
    made = Settings.from_environment({"TRIALSCRAPE_PROXY": proxy})
    assert made.proxy == proxy
    assert "proxy" not in repr(made)


def test_the_agent_names_the_version_and_the_contact() -> None:
    assert Settings().user_agent == f"trialscrape/{trialscrape.__version__}"
    assert Settings(contact="a@b.example").user_agent == f"trialscrape/{trialscrape.__version__} (+a@b.example)"


def test_a_variable_that_is_no_setting_is_reported() -> None:
    with pytest.raises(SettingsError, match=r"expected a variable out of TRIALSCRAPE_SITE, .*; found TRIALSCRAPE_RTAE"):
        Settings.from_environment({"TRIALSCRAPE_RTAE": "1"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rate", None, "a number"),
        ("concurrency", math.nan, "a number"),
        ("site", 5, "text"),
        ("max_age", [], "an age as 7d, 12h, 30m or 0"),
    ],
)
def test_a_value_of_another_type_is_reported(name: str, value: Any, expected: str) -> None:
    with pytest.raises(SettingsError, match=f"^setting {name}: expected {expected}, found '{re.escape(str(value))}'$"):
        Settings(**{name: value})


def test_a_field_that_is_no_setting_is_reported() -> None:
    with pytest.raises(SettingsError, match=r"^expected a setting out of site, registry, .*; found colour$"):
        Settings(colour="red")  # type: ignore[call-arg]  # that is the mistake


def test_a_negative_age_is_reported() -> None:
    with pytest.raises(SettingsError, match="setting max_age: expected an age of 0 or more"):
        Settings(max_age=timedelta(-1))


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("7d", timedelta(7)),
        ("12h", timedelta(hours=12)),
        (" 30M ", timedelta(minutes=30)),
        ("0", timedelta(0)),
        ("0d", timedelta(0)),
    ],
)
def test_an_age_is_read(text: str, age: timedelta) -> None:
    assert Settings.from_environment({"TRIALSCRAPE_MAX_AGE": text}).max_age == age


@pytest.mark.parametrize("text", ["", " ", "7", "d", "7 d", "-1d", "1.5d", "٣d", "7dd", "9999999999d"])
def test_what_is_no_age_is_reported(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^setting max_age: expected an age as 7d, 12h, 30m or 0, found"):
        Settings(max_age=text)
