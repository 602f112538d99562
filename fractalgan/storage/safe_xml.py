"""XML from strangers: no entities, and nothing large or deep is built."""

from io import BytesIO
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from fractalgan.errors import InputError
from fractalgan.limits import MAX_FLAME_BYTES, MAX_FLAME_DEPTH, MAX_FLAME_TAGS, require_bytes


def read_xml(path: Path) -> Element:
    """The root element of an XML file.

    Raises:
        InputError: for a file that is no XML, that declares entities or another document type, or that is
            larger or deeper than any file of fractals.
    """
    require_bytes(path, MAX_FLAME_BYTES)
    text = path.read_bytes()
    if max(text.count(b"<"), text.count(b"=")) > MAX_FLAME_TAGS:
        raise InputError(
            f"{path} has more than {MAX_FLAME_TAGS} tags or attributes: it is not a file of fractals"
        )
    open_elements: list[Element] = []
    root: Element | None = None
    try:
        for event, element in iterparse(BytesIO(text), events=("start", "end"), forbid_dtd=True):
            if event == "end":
                open_elements.pop()
                continue
            root = element if root is None else root
            open_elements.append(element)
            if len(open_elements) > MAX_FLAME_DEPTH:
                raise InputError(
                    f"{path} has elements nested deeper than {MAX_FLAME_DEPTH}: it has no fractals"
                )
    except DefusedXmlException as error:
        raise InputError(
            f"{path} declares a document type or entities, which are not read: remove them"
        ) from error
    except (ParseError, LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged or not an XML file ({error})") from error
    if root is None:
        raise InputError(f"{path} is damaged or not an XML file")
    return root
