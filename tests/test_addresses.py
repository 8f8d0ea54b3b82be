import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialscrape.addresses import drop_referrer, mask_passwords, may_lead_to, resolve_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/x", "https://host/x"),
        ("https://me:secret@host/x", "https://***@host/x"),
        ("https://me@host", "https://***@host"),
        ("https://me:se@cret@host", "https://***@host"),
        ("//me:secret@host/x", "//***@host/x"),
        (r"https:\\me:secret@host", r"https:\\***@host"),
        ("found 'http://a:b@c/', or ftp://d:e@f?g@h", "found 'http://***@c/', or ftp://***@f?g@h"),
        ("https://host/study/a@b", "https://host/study/a@b"),
        ("https://host?a@b https://host#a@b", "https://host?a@b https://host#a@b"),
        ("see // then me@example.org", "see // then me@example.org"),
        ("me@example.org", "me@example.org"),
    ],
)
def test_a_password_is_masked(text: str, shown: str) -> None:
    assert mask_passwords(text) == shown


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/%2e/b", "/b"),
        ("/a/%2e", "/a/"),
        ("/a/%252e%252e/b", "/a/%252e%252e/b"),
        ("/a/...", "/a/..."),
        ("/a/.b/..c", "/a/.b/..c"),
        ("/a//b", "/a//b"),
        ("/a//../b", "/a/b"),
        ("//a", "//a"),
        ("/a%2f..%2fb", "/a%2f..%2fb"),
        (r"\a\..\b", "/b"),
    ],
)
def test_dots_are_resolved(path: str, resolved: str) -> None:
    assert resolve_path(path) == resolved


@given(st.lists(st.sampled_from(["/", "\\", ".", "..", "%2e", "%2E", "a"])).map(lambda parts: "/" + "".join(parts)))
def test_what_is_resolved_stays_so(path: str) -> None:
    resolved = resolve_path(path)
    assert resolve_path(resolved) == resolved
    assert not {".", ".."} & set(resolved.lower().replace("%2e", ".").split("/"))


@pytest.mark.parametrize(
    "path",
    [
        "/study-search",
        "/study-search/x",
        "/Study-SEARCH",
        "/study%2Dsearch",
        "/%73tudy-search",
        "/study%252dsearch",
        "//study-search",
        "/./study-search",
        "/x/../study-search",
        "/x/%2e%2e/study-search",
        "/x/.%2E/study-search",
        "/x/..%2fstudy-search",
        "/x%2F%2e%2e%2Fstudy-search",
        "/x/..%252fstudy-search",
        r"\study-search",
        r"/x\..\study-search",
        "/x/..%5cstudy-search",
        "/%5Cstudy-search",
        "/study-search%2f..%2fx",
        "/study-search/../x",
    ],
)
def test_a_path_may_lead_to_the_search(path: str) -> None:
    assert may_lead_to(path, "/study-search")
    assert may_lead_to(path, "/Study-Search")


@pytest.mark.parametrize(
    "path", ["/", "/study/study-search", "/x/study-search", "/study", "/..study-search", "/study search"]
)
def test_a_path_leads_elsewhere(path: str) -> None:
    assert not may_lead_to(path, "/study-search")


def test_a_place_may_end_with_a_slash() -> None:
    assert may_lead_to("/x/../a/b", "/a/")
    assert not may_lead_to("/x/../ab", "/a/")


REFERRED = "?comeFrom=%7B%22type%22%3A%22site%22%2C%22slug%22%3A%22a-clinic%22%7D"
ADDRESSES = {
    f"https://a.example/study/b{REFERRED}": "https://a.example/study/b",
    'https://a.example/study/b?comeFrom={"type":"site"}': "https://a.example/study/b",
    "https://a.example/study/b?comeFrom": "https://a.example/study/b",
    f"https://a.example/study/b{REFERRED}#contacts": "https://a.example/study/b#contacts",
    f"https://a.example/study/b{REFERRED}&lang=de": "https://a.example/study/b?lang=de",
    "https://a.example/study/b?lang=de&comeFrom=x": "https://a.example/study/b?lang=de",
    "https://a.example/study/b?comeFromage=x": "https://a.example/study/b?comeFromage=x",
    "https://a.example/study/b?lang=de#c": "https://a.example/study/b?lang=de#c",
    "https://a.example/study/b": "https://a.example/study/b",
    "https://a.example/study/comeFrom=b": "https://a.example/study/comeFrom=b",
    "": "",
}


@pytest.mark.parametrize(("url", "page"), ADDRESSES.items(), ids=ADDRESSES)
def test_how_a_visitor_came_is_no_part_of_an_address(url: str, page: str) -> None:
    assert drop_referrer(url) == page
    assert drop_referrer(page) == page
