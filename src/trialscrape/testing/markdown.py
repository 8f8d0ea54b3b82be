r"""The registry's markdown as blocks, as the site shows it: paragraphs, lists in lists, literal comments.

The registry writes its long texts in CommonMark: lists nest by their indent, `\<` is a `<`, and `<!-- -->` parts two
lists. The site shows such a comment as the text that it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_COMMONMARK = MarkdownIt("commonmark")
_BLANKS = re.compile(r"[ \t\n\r\f]+")  # what HTML shows as one blank; other blanks are text
_TEXTS = {"text", "code_inline", "html_inline"}


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A paragraph, or a comment, which stands between others without blank lines around it; its lines."""

    lines: tuple[str, ...]
    is_comment: bool = False


@dataclass(frozen=True, slots=True)
class ListBlock:
    """A list: the blocks of each item. In a loose one, blank lines part the paragraphs."""

    items: "tuple[tuple[TextBlock | ListBlock, ...], ...]"
    is_ordered: bool
    is_loose: bool


MarkdownBlock = TextBlock | ListBlock


def collapse_blanks(text: str) -> str:
    """Collapse runs of blanks, as a browser does, and drop those at both ends."""
    return _BLANKS.sub(" ", text).strip(" ")


def read_markdown(text: str) -> tuple[MarkdownBlock, ...]:
    """Read a text of the registry; an empty item of a list prints nothing, and is left out."""
    return _read_blocks(SyntaxTreeNode(_COMMONMARK.parse(text)).children)


def _read_blocks(nodes: Iterable[SyntaxTreeNode]) -> tuple[MarkdownBlock, ...]:
    blocks: list[MarkdownBlock] = []
    for node in nodes:
        if node.type in {"bullet_list", "ordered_list"}:
            blocks.append(_read_list(node))
        elif node.type == "html_block":
            blocks.append(TextBlock((collapse_blanks(node.content),), is_comment=True))
        elif node.type in {"code_block", "fence"}:
            blocks.append(TextBlock(tuple(map(collapse_blanks, node.content.splitlines()))))
        elif node.type == "blockquote":
            blocks.extend(_read_blocks(node.children))
        else:
            blocks.append(TextBlock(_read_lines(node)))
    return tuple(block for block in blocks if isinstance(block, ListBlock) or block.lines)


def _read_list(node: SyntaxTreeNode) -> ListBlock:
    items = tuple(item for child in node.children if (item := _read_blocks(child.children)))
    is_loose = any(part.type == "paragraph" and not part.hidden for child in node.children for part in child.children)
    return ListBlock(items, node.type == "ordered_list", is_loose)


def _read_lines(node: SyntaxTreeNode) -> tuple[str, ...]:
    lines = [""]
    for part in node.walk():
        if part.type == "hardbreak":
            lines.append("")
        elif part.type == "softbreak":
            lines[-1] += " "
        elif part.type in _TEXTS:
            lines[-1] += part.content
    return tuple(line for line in map(collapse_blanks, lines) if line)
