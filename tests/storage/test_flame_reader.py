"""Reading .flame files of other programs, and hostile ones."""

import math
from pathlib import Path

import pytest
import torch

from fractalgan import FractalGenerator
from fractalgan.errors import InputError
from fractalgan.storage import read_fractals
from tests.storage.test_refusals import refusal

CAMERA = 'name="theirs" size="640 480" center="0 0" scale="127.8"'
HALVES = "".join(
    f'<xform weight="1" color="0" linear="1" coefs="0.5 0 0 0.5 {x} {y}"/>'
    for x, y in [(0, 0), (0.5, 0), (0, 0.5)]
)


def flame(content: str = HALVES, camera: str = CAMERA) -> str:
    return f"<flame {camera}>{content}</flame>"


def read(path: Path, text: str | bytes) -> FractalGenerator:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return FractalGenerator.from_pretrained(path)


def xform(**attributes: str) -> str:
    given = {"weight": "1", "color": "0", "linear": "1", "coefs": "0.5 0 0 0.5 0 0"} | attributes
    return "<xform " + " ".join(f'{name}="{each}"' for name, each in given.items()) + "/>"


def test_triangle_is_read(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    read_it = read(tmp_path / "a.flame", flame())
    A, b = read_it.embedding()
    assert A.equal((torch.eye(2) / 2).expand(1, 3, 2, 2))
    assert b.tolist() == [[[0, 0], [0, 0.5], [0.5, 0]]]  # y, x
    assert read_it.window == 2.5  # 639 / (2 * 127.8)
    assert read_it.probabilities == "determinant"
    assert read_it.draw(0).sum() > 10
    assert not [each for each in logs.messages if "palette" not in each]


def test_coefficients_have_the_order_of_flam3(tmp_path: Path) -> None:
    A, b = read(tmp_path / "a.flame", flame(xform(coefs="1 2 3 4 5 6"))).embedding()
    assert A.tolist() == [[[[4, 2], [3, 1]]]]
    assert b.tolist() == [[[6, 5]]]


def test_post_transform_and_weight_of_linear_are_composed(tmp_path: Path) -> None:
    a = xform(linear="0.5", coefs="0.4 0.1 -0.2 0.6 1 -1", post="0.9 -0.3 0.2 0.8 0.5 0.25")
    A, b = read(tmp_path / "a.flame", flame(a)).embedding()
    x, y = 0.7, -1.3
    u, v = 0.5 * (0.4 * x - 0.2 * y + 1), 0.5 * (0.1 * x + 0.6 * y - 1)
    expected = [-0.3 * u + 0.8 * v + 0.25, 0.9 * u + 0.2 * v + 0.5]
    assert (A[0, 0] @ torch.tensor([y, x]) + b[0, 0]).tolist() == pytest.approx(expected, abs=1e-6)


def test_camera_is_moved_to_the_origin(tmp_path: Path) -> None:
    """flam3 turns points about the center by the angle, counterclockwise in (x, y), before it draws them."""
    plain = read(tmp_path / "plain.flame", flame())
    camera = 'size="640 480" center="0.3 -0.2" scale="63.9" zoom="1" rotate="30"'
    turned = read(tmp_path / "turned.flame", flame(camera=camera))
    assert turned.window == pytest.approx(2.5)
    sequences = plain.draw_sequences([0])
    cos, sin = math.cos(math.radians(30)), math.sin(math.radians(30))
    for n in range(3):
        fixed = [
            torch.linalg.solve(torch.eye(2) - A[0, n], b[0, n])
            for A, b in (plain.embedding(), turned.embedding())
        ]
        (y, x), found = fixed[0].tolist(), fixed[1].tolist()
        x, y = x - 0.3, y + 0.2
        assert found == pytest.approx([x * sin + y * cos, x * cos - y * sin], abs=1e-5)
    assert sequences.shape == (1, 300)


def test_flames_of_other_scales_are_drawn_in_the_first_window(tmp_path: Path) -> None:
    small = flame(camera='size="640 640" scale="255.6"')
    both = read(tmp_path / "a.flame", f"<flames>{flame()}{small}</flames>")
    A, b = both.embedding()
    assert both.window == 2.5
    assert A[1].equal(A[0])
    torch.testing.assert_close(b[1], 2 * b[0])


def test_names_are_one_line_of_text(tmp_path: Path) -> None:
    named = flame(camera=f'name="a&#10;b&#9;\u202e{"c" * 200}"')
    read(tmp_path / "a.flame", f"<flames>{named}{flame(camera='')}</flames>")
    assert read_fractals(tmp_path / "a.flame").provenance["names"] == ["a b  " + "c" * 75, "flame 1"]


def test_numbers_of_transforms_are_made_equal_by_repeating(
    tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    two = xform(weight="3", coefs="0.75 0 0 0.5 0 0") + xform(weight="2", coefs="0.5 0 0 0.5 1 1")
    both = read(tmp_path / "a.flame", f"<flames>{flame()}{flame(two)}</flames>")
    A, _ = both.embedding()
    assert A.shape == (2, 6, 2, 2)
    p = both.transform_probabilities(A)
    torch.testing.assert_close(p[0].view(2, 3).sum(0), torch.full((3,), 1 / 3))
    torch.testing.assert_close(p[1].view(3, 2).sum(0), torch.tensor([0.6, 0.4]))
    assert "weights" not in logs.text


def test_too_different_numbers_are_refused(tmp_path: Path) -> None:
    parts = "".join(flame(HALVES.split("/>")[0] + "/>" + xform() * (n - 1)) for n in (7, 11, 13, 17))
    with pytest.raises(
        InputError, match=r"different numbers of transforms, such as 11 .*17017 each: split the file"
    ):
        read(tmp_path / "a.flame", f"<flames>{parts}</flames>")


def test_free_weights_are_replaced_by_the_nearest_rule(
    tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    maps = xform(weight="0.5", coefs="0.5 0 0 0 0 0") + xform(weight="9.5", coefs="0.5 0 0 0.5 0 1")
    assert read(tmp_path / "a.flame", flame(maps)).probabilities == "area"  # determinant would leave one out
    assert "a.flame: the weights of theirs are replaced" not in logs.text
    maps = xform(weight="1", coefs="0.5 0 0 0.5 0 0") + xform(weight="9", coefs="0.5 0 0 0.5 0 1")
    assert read(tmp_path / "b.flame", flame(maps)).probabilities == "determinant"
    assert "b.flame: the weights of theirs are replaced by probabilities from the matrices" in logs.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            xform(spherical="0.5", julian="0.1", julian_power="3"),
            "variations other than linear are left out: spherical",
        ),
        (xform(linear="0", swirl="1"), "a transform of swirl is read as linear"),
        (xform(opacity="0.5"), "the opacity of a transform is read as 1"),
        (xform(plotmode="off"), "the opacity of a transform is read as 1"),
        (xform(chaos="1 0.5"), "xaos is left out"),
        (
            HALVES + '<finalxform color="0" spherical="1" coefs="1 0 0 1 0 0"/>',
            "the final transform is left out",
        ),
        (HALVES + '<symmetry kind="3"/>', "the symmetry is left out"),
        (HALVES + '<palette index0="3"/>', "a palette that is not in the file is read as white"),
    ],
)
def test_what_cannot_be_expressed_is_said(
    content: str, message: str, tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    read(tmp_path / "a.flame", flame(content))
    assert any(message in each and each.endswith("of theirs") for each in logs.messages)


def test_what_changes_nothing_is_not_said(tmp_path: Path, logs: pytest.LogCaptureFixture) -> None:
    same = '<finalxform color="0" linear="1" coefs="1 0 0 1 0 0" color_speed="0"/><symmetry kind="1"/>'
    maps = xform(spherical="0", name="abc", chaos="1 1", opacity="1", post="1 0 0 1 0 0", linear3D="0")
    palette = f'<palette count="256" format="RGB">{"FFFFFF" * 256}</palette>'
    read(tmp_path / "a.flame", flame(maps + same + palette))
    assert logs.messages == []


@pytest.mark.parametrize(
    "palette",
    [
        '<palette count="256" format="RGB">' + "\n".join(["0000FF"] + ["00FF00"] * 255) + "</palette>",
        '<palette count="256" format="RGBA">' + "0000FFFF" + "00FF00FF" * 255 + "</palette>",
        '<colors count="256" data="' + "000000FF" + "0000FF00" * 255 + '"/>',
        '<color index="0" rgb="0 0 255"/><color index="1" rgb="0 255 0"/><color index="9" rgb="0 255.0 0"/>',
        '<palette><color index="0" rgb="0000FF"/><color index="1" rgb="00ff00"/></palette>',
    ],
)
def test_every_form_of_palette_is_read(palette: str, tmp_path: Path) -> None:
    maps = (
        xform(color="0", symmetry="1")
        + xform(color="0.5", symmetry="-1")
        + xform(color="1 0", color_speed="0.75")
    )
    features = read(
        tmp_path / "a.flame", flame(maps + palette, f'{CAMERA} background="1 0.5 0"')
    ).embedding.features()
    assert features.values.tolist() == [[[0, 0, 1], [0, 1, 0], [0, 1, 0]]]
    assert features.blend.tolist() == [[1, 0, 0.25]]
    assert features.background.tolist() == [[1, 0.5, 0]]


def test_fractals_with_and_without_colors_share_a_file(tmp_path: Path) -> None:
    colored = flame(HALVES + f'<palette count="256" format="RGB">{"0000FF" * 256}</palette>')
    white = flame(HALVES + f'<palette count="256" format="RGB">{"FFFFFF" * 256}</palette>')
    values = read(tmp_path / "a.flame", f"<flames>{colored}{white}</flames>").embedding.features().values
    assert values[:, 0].tolist() == [[0, 0, 1], [1, 1, 1]]


BILLION_LAUGHS = (
    '<!DOCTYPE flame [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + k)} "' + f"&{chr(97 + k)};" * 10 + '">' for k in range(9))
    + "]><flame><xform>&j;</xform></flame>"
)
EXTERNAL = '<!DOCTYPE flame [<!ENTITY secret SYSTEM "file:///etc/passwd">]><flame name="x">&secret;</flame>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BILLION_LAUGHS, "declares a document type or entities, which are not read: remove them"),
        (EXTERNAL, "declares a document type or entities, which are not read: remove them"),
        ('<!DOCTYPE flame SYSTEM "http://localhost/x.dtd"><flame/>', "declares a document type"),
        ("<flame>&undefined;</flame>", "is damaged or not an XML file"),
        ("", "is damaged or not an XML file"),
        (flame()[:-20], "is damaged or not an XML file"),
        (b"\x00\xff" * 100, "is damaged or not an XML file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is damaged or not an XML file"),
        ('<?xml version="1.0" encoding="klingon"?><flame/>', "is damaged or not an XML file"),
        ("<a>" * 50 + "</a>" * 50, "has elements nested deeper than 16"),
        ("<a>" * 400_000, "has elements nested deeper than 16"),
        ("<a/>" * 1_000_001, "has more than 1000000 tags or attributes"),
        ("<a " + "b='' " * 1_000_001 + "/>", "has more than 1000000 tags or attributes"),
        ("<html/>", "has no <flame>: it is not a .flame file"),
        (flame(""), "theirs: it has no <xform>"),
        (flame(xform(coefs="1 2 3")), "theirs: expected 6 numbers, got '1 2 3'"),
        (flame(xform(coefs="1 0 0 nan 0 0")), "theirs: 'nan' is not a finite number"),
        (flame(xform(coefs="1 0 0 inf 0 0")), "'inf' is not a finite number"),
        (flame(xform(coefs="1e300 0 0 1 0 0")), "theirs has numbers that are too large"),
        (flame(xform(coefs="1 0 0 1 0 0", post="a b c d e f")), "'a' is not a finite number"),
        (flame(xform(weight="-1")), "weights must be >= 0, and not all 0"),
        (flame(xform(weight="0")), "weights must be >= 0, and not all 0"),
        (flame(xform(linear="much")), "'much' is not a finite number"),
        (flame(xform(color="")), "the color of a transform must be a number"),
        (flame(camera='scale="0"'), "flame 0: size must be > 1 and scale > 0"),
        (flame(camera='scale="-5"'), "size must be > 1 and scale > 0"),
        (flame(camera='scale="1e308" zoom="99"'), "flame 0: "),
        (flame(camera='scale="1" zoom="-1e9"'), "flame 0: size must be > 1 and scale > 0"),
        (flame(camera='size="1 1"'), "size must be > 1 and scale > 0"),
        (flame(camera='size="1.0000001 1" scale="1e308"'), "window must be in"),
        (flame(camera='size="10"'), "expected 2 numbers, got '10'"),
        (flame(camera='scale="1e-9"'), "window must be in"),
        (flame(HALVES + '<palette count="256" format="RGB">FF00</palette>'), "palette must have 256 colors"),
        (flame(HALVES + f'<palette format="RGB">{"GGGGGG" * 256}</palette>'), "palette must have 256 colors"),
        (flame(HALVES + '<color index="256" rgb="0 0 0"/>'), "the index of a color must be an integer"),
        (flame(HALVES + '<color index="1" rgb="0 0"/>'), "expected 3 numbers, got '0 0'"),
        (flame(HALVES + '<palette format="RGB"><other/></palette>'), "the palette has no colors"),
        (flame(HALVES + '<symmetry kind="x"/>'), "'x' is not a finite number"),
    ],
)  # fmt: skip
def test_hostile_and_damaged_files_are_refused_in_one_line(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    found = refusal(tmp_path / "bad.flame", text.encode() if isinstance(text, str) else text)
    assert message in found
    assert "root:" not in found
