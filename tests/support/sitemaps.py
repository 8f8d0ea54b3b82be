"""Sitemap files of an invented site."""

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
SITE = "https://ctv.example"


def urlset(*slugs: str, more: str = "") -> bytes:
    urls = "\n".join(f"<url><loc>{SITE}/study/{slug}</loc><lastmod>2026-01-01</lastmod></url>" for slug in slugs)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{NAMESPACE}">\n{urls}\n{more}</urlset>\n'.encode()


def index(*files: str) -> bytes:
    entries = "".join(f"<sitemap><loc>{file}</loc></sitemap>" for file in files)
    return f'<sitemapindex xmlns="{NAMESPACE}">{entries}</sitemapindex>'.encode()


def laughs(levels: int) -> str:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, levels))
    return f'<!DOCTYPE urlset [<!ENTITY e0 "lol">{entities}]>'


LAUGHS = f"{laughs(12)}<urlset><url><loc>{SITE}/study/&e11;</loc></url></urlset>".encode()
