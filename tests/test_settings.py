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


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("RATE", "quick", "setting rate: expected a number, found 'quick'"),
        ("RATE", "0", "setting rate: expected a number above 0, found '0'"),
        ("RATE", "nan", "setting rate: expected a number above 0, found 'nan'"),
        ("RATE", "1e-12", "setting rate: expected a number from 1e-09 to 1e+09, found '1e-12'"),
        ("READ_TIMEOUT", "1e300", "setting read_timeout: expected a number from 1e-09 to 1e+09, found '1e300'"),
        ("CONCURRENCY", "1.5", "setting concurrency: expected a whole number, found '1.5'"),
        ("CONCURRENCY", "0", "setting concurrency: expected a number above 0, found '0'"),
        ("REGISTRY_BATCH", "0", "setting registry_batch: expected a number above 0, found '0'"),
        ("REGISTRY_BATCH", "1001", "setting registry_batch: expected a number from 1 to 1000, found '1001'"),
        ("RETRIES", "-1", "setting retries: expected a number of 0 or more, found '-1'"),
        ("MAX_AGE", "7w", "setting max_age: expected an age as 7d, 12h, 30m or 0, found '7w'"),
        ("SITE", "ftp://x", "setting site: expected scheme and host, as https://ctv.veeva.com, found 'ftp://x'"),
        ("SITE", "http://x/y", "setting site: expected scheme and host, as https://ctv.veeva.com, found 'http://x/y'"),
        (
            "SITE",
            "http://x:99999",
            "setting site: expected scheme and host, as https://ctv.veeva.com, found 'http://x:99999'",
        ),
        (
            "SITE",
            "https://me:secret@x",
            "setting site: expected scheme and host, as https://ctv.veeva.com, found 'https://***@x'",
        ),
        ("REGISTRY", "x", "setting registry: expected scheme and host, as https://ctv.veeva.com, found 'x'"),
        ("PROXY", "host:3128", "setting proxy: expected an address as http://host:3128, found 'host:3128'"),
        ("PROXY", "http://h:0", "setting proxy: expected an address as http://host:3128, found 'http://h:0'"),
        ("PROXY", "socks5://a:b@h", "setting proxy: expected an address as http://host:3128, found 'socks5://***@h'"),
        ("PROXY", "http://a:b@h/x", "setting proxy: expected an address as http://host:3128, found 'http://***@h/x'"),
        ("STUDY_PATH", "study", "setting study_path: expected a path that starts with /, found 'study'"),
        (
            "CONTACT",
            "a\nb",
            "setting contact: expected printable ASCII without brackets and backslashes, found 'a\\nb'",
        ),
        ("CONTACT", "(a)", "setting contact: expected printable ASCII without brackets and backslashes, found '(a)'"),
    ],
)
def test_a_bad_setting_is_reported(variable: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({f"TRIALSCRAPE_{variable}": text})
    assert str(caught.value).replace("\n", "\\n") == message


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
    ("values", "message"),
    [
        ({"rate": None}, "setting rate: expected a number, found 'None'"),
        ({"concurrency": float("nan")}, "setting concurrency: expected a number, found 'nan'"),
        ({"site": 5}, "setting site: expected text, found '5'"),
        ({"max_age": []}, "setting max_age: expected an age as 7d, 12h, 30m or 0, found '[]'"),
        ({"colour": "red"}, f"expected a setting out of {', '.join(Settings.model_fields)}; found colour"),
    ],
)
def test_a_value_of_another_type_is_reported(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    assert str(caught.value) == message


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
