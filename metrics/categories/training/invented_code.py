"""Code, markup, LaTeX and tables of symbols from templates: forms that the packages' files lack, with varied content.

The names are ordinary English words of Faker's list, joined as programmers join them.
"""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator

from faker.providers.lorem.en_US import Provider

# {w} a word, {c} aName, {C} AName, {s} a_name, {U} A_NAME, {k} a-name, {n} a whole number, {f} a decimal, {x} hex,
# {b} base64; a digit after the letter makes another one, the same letter and digit the same one within a piece.
CODE: tuple[str, ...] = (
    "    public {C} get{C2}() {\n        return {c2};\n    }\n\n    public void set{C2}({C} {c2}) {\n"
    "        this.{c2} = {c2};\n    }\n\n",
    "import {w}.{w2}.{w3}.{C};\nimport {w}.{w2}.{C2};\n",
    "using {C}.{C2};\nusing {C3}.{C}.{C2};\n\nnamespace {C} {\n    public class {C2} : I{C3} {\n",
    "func (m *{C}) {C2}() string {\n\tif m == nil {\n\t\treturn \"\"\n\t}\n\treturn m.{c}\n}\n\n",
    "type {C} struct {\n\t{C2} {c} `json:\"{c}\"`\n\t{C3} []int{n}\n}\n\ncase {c}:\n\treturn {C}({n}), nil\n",
    "@interface {C} : NS{C2}\n@property (nonatomic, strong) NS{C} *{c};\n- (void){c2}:({C} *){c3} {\n"
    "    [self.{c} {c2}:{c3}];\n}\n",
    "    $this->{c} = ${s};\n    public function {c2}(array ${s2} = [])\n    {\n"
    "        return $this->{c}['{s}'];\n    }\n",
    "  def {s}\n    @{s2} ||= {C}.find_by({s3}: params[:{s}])\n  end\n",
    "    let {c}: {C} = self.{c2}.map { $0.{c3} }\n    guard let {w} = {c} else { return }\n",
    "        [{C}(\"{C2}\", {n})]\n        public {w} {C3} { get; set; }\n",
    "#define {U}_{U2} {n}\n#define {U}_{U3}(a, b) ((a)->{c}(b))\n#include <{w}/{w2}.h>\n",
    "{U}_{U2}                 = 0x{x}\n{U}_{U3}         = {n}\n",
    "CONFIG_{U}_{U2}=y\n# CONFIG_{U3} is not set\nCONFIG_{U}_{n}=m\n",
    "  {C}::{c}(const {C2}<{C3}>& {s}) : m_{c}({s}) {}\n  template <class T{n}, typename {C2}>\n",
    "    if ({c} == {c2} && !{c3}[{w}]) {\n        break;\n    } else if ({c}.{c2} > {n}) {\n"
    "        {c3} += {f};\n    }\n",
    "      {c}.{c2}(function({w}) { return {w}.{c3}; })\n       .{c3}('{w2}', {n});\n",
    "export const {c} = ({w}, {w2}) => {\n  const { {c2}, {c3} } = await {w}.{c}(`/${{w2}}`);\n};\n",
    ".{k}-{n} {\n  {k2}: {n}px;\n}\n.{k} > li:hover { color: #{x}; margin: 0 {n}px {n2}px; }\n",
    "\t<key>{C}</key>\n\t<string>{c}</string>\n\t<dict>\n\t</dict>\n",
    "    <{C}>{f}</{C}>\n    <{C2}>{w}</{C2}>\n",
    "        {w}:{c}=\"@{w2}/{s}\"\n        {w}:{c2}=\"{n}dp\" />\n    <{C}\n",
    "<{w} id=\"{w}.{w2}.{w3}.{s}\" value=\"{n}\"/>\n<{w2} x=\"{n}\" y=\"{n2}\"/>\n",
    "<div class=\"{k}\"><a href=\"../../{w}/{C}.html\" title=\"{w2}\">{C}</a></div>\n<li>{w}</li>\n",
    "<td class=\"{k}\"><code><a href=\"{k2}.html#{c}\">{c}</a>&nbsp;</code></td>\n</tr>\n<tr class=\"{k2}\">\n",
    "<span class=\"{w}\">{c}</span><span class=\"p\">(</span><span class=\"n\">{c2}</span>\n",
    "<script src=\"https://{w}.{w2}.com/{k}.min.js\"></script>\n<link rel=\"stylesheet\" href=\"{w3}/{k2}.css\">\n",
    "  <{C} Condition=\"'$({C})'=='{C2}'\">\n    <{C2} Include=\"{C}\\{C2}.cs\" />\n",
    "    \"{c}\": {\n      \"{c2}\": \"{w}\",\n      \"{c3}\": [{n}, {n2}],\n      \"{w2}\": true\n    },\n",
    "    \"{k}\": \"^{n}.{n2}.0\",\n    \"version\": \"{n}.{n2}.1\",\n    \"integrity\": \"sha512-{b}{b}\"\n",
    "  - {s}: {w}\n    {s2}:\n      {k}: {n}\n      {w2}: \"{x}\"\n",
    "  {s}: {w: {n}}\n  {s2}: {x: {f}, y: {f2}}\n",
    "  ({w} ({w2} {f} -{f2}) ({s} {w3} {n}))\n(define ({k} {w}) (cons {w} '{k2}))\n",
    "if [ -z \"${U}\" ]; then\n  {w} --{k}={n} >> {w2}.log\n  exit 1\nfi\n",
    "$ {w} --{k}={n} {w2}/{k2}.{w3} | grep -v '{w}' >> {w2}.log\nexport {U}=${U2}/{w}\n",
    "\tat {w}.{w2}.{C}.{c}({C}.java:{n})\n\tat {w}.{w2}.{C2}.{c2}({C2}.java:{n2})\n",
    "  File \"/usr/lib/{w}/{s}.py\", line {n}, in {s2}\n    self.{s3}({w}, *args)\n",
    "/{w}/{w2}/{w3}-{n}.{n2}.1/lib/{s}.rb:{n}:in `{s2}'\n    from /{w}/{s3}.rb:{n2}\n",
    "10.{n}.0.1 - - [20/{C}/2014:19:{n}:29 +0000] \"GET /{w}/{k}.html HTTP/1.1\" 200 {n2} \"-\" \"{C}/5.0 ({w2})\"\n",
    "2014-{n}-12 10:22:31,{n2} INFO  [{w}-{n2}] {w2}.{C}: {w} {w2} id={n}\nwarning: {s}.c:{n}: {w} '{s2}'\n",
    "@@ -{n},7 +{n2},9 @@\n-    {c}({w})\n+    {c}({w}, {n});\n",
    "{w}/{s}.{w2}\n{w}/{s2}.{w3}-{n}.pyc\n{w}/{k}.txt\n",
    "    mov  r{n}, #0x{x}\n    bl   {s}\n.L{n}:\n    .word {s2}\n",
    "INSERT INTO `{s}` VALUES ({n}, '{w}', {f}, NULL);\nSELECT {s} FROM {s2} WHERE {s3} = {n};\n",
    "| {n} || {w} || {f} || align=right | {n2} ||\n|-\n",
    "msgid \"{w} {w2}\"\nmsgstr \"\"\n#: {w}/{s}.py:{n}\n",
    "{U}:\n\t$(CC) -o $@ $({U2}) -l{w}\n.PHONY: {w} {w2}\n",
    "[@{w}{n}; @{w2}{n2}] [^{n}^](#{w}{n}){{k}=\"{w2}\"}\n",
    "![{w}]({s}.pdf){width=\"{f}\\linewidth\"}\n[{n}](#{w}-{n}){{k}=\"{w2}\"}, \n",
)  # fmt: skip
LATEX: tuple[str, ...] = (
    "\\usepackage{{w}}\n\\usepackage[{w2}]{{w3}}\n",
    "\\documentclass[{n}pt]{{w}}\n\\setlength{\\{w2}}{-{n2}pt}\n\\begin{document}$${M}$$\\end{document}\n",
    "\\begin{equation}\n\\label{eq:{w}}\n{M} = {M}\n\\end{equation}\n",
    "\\begin{align}\n{M} &= {M} \\\\\n&\\leq {M}\n\\end{align}\n",
    "$${M} = {M}$$\n",
    "${M}$, ${M}$ and ${M}$ ",
    "\\newcommand{\\{w}}[1]{\\mathbf{#1}}\n\\def\\{w2}{{\\cal {w3}}}\n",
    "{M} & {M} & \\cdots & {M} \\\\\n",
    "\\begin{{w}}[h]\n\\includegraphics[width={f}\\textwidth]{{s}.eps}\n\\caption{{w}}\n\\end{{w}}\n",
    "\\cite{{w}{n}} \\ref{fig:{w2}} \\section{{w3}}\n",
    "\\left( {M} \\right) + \\left[ {M} \\right]^{2}\n",
    "\\bibitem{{w}{n}} \\emph{{w2}} {\\bf {n}}, {n2}\n",
)
_ATOMS = (
    r"\alpha", r"\beta_{i}", "x", "x_{n}", "y^{2}", r"\mathcal{A}_{T}", r"\mathbb{R}^{d}", "f(x)", r"\partial_t u",
    r"\nabla \phi", r"\rho", r"\lambda_{k}", r"\int_{0}^{1}", r"\sum_{i=1}^{N}", r"\hat{H}", r"\langle \psi |",
    r"g_{\mu\nu}", r"\mathrm{d}t", r"\Delta", r"\epsilon", "p", "q^{-1}", "T_{ij}", r"\overline{z}",
    r"\operatorname{tr}", r"\infty", r"\vec{k}",
)  # fmt: skip
_OPERATORS = (" + ", " - ", " = ", r" \leq ", r" \rightarrow ", r" \in ", r" \otimes ", "", " ", ",")
_SLOT = re.compile(r"\{([wcCsUknfxbM])([23]?)\}")
_WORDS = tuple(sorted({word for word in Provider.word_list if word.isalpha() and len(word) > 2}))


def invented_code(source: random.Random) -> Iterator[str]:
    """Endless pieces of at least some hundred characters: seven in ten code and markup, two LaTeX, one a table."""
    while True:
        drawn = source.random()
        if drawn < 0.7:
            templates = source.choices(CODE, k=1 if source.random() < 0.7 else 3)
            yield "".join(_filled(source.choice(templates), source) for _ in range(source.randint(3, 9)))
        elif drawn < 0.9:
            yield "".join(_filled(source.choice(LATEX), source) for _ in range(12))
        else:
            yield _table(source)


def _filled(template: str, source: random.Random) -> str:
    known: dict[str, str] = {}

    def value(match: re.Match[str]) -> str:
        if match.group(1) == "M":
            return _formula(source)
        if match.group() not in known:
            known[match.group()] = _value(match.group(1), source)
        return known[match.group()]

    return _SLOT.sub(value, template)


def _value(slot: str, source: random.Random) -> str:
    words = [source.choice(_WORDS) for _ in range(source.choice((1, 2, 2, 3)))]
    titles = [word.title() for word in words]
    match slot:
        case "w":
            return words[0]
        case "c":
            return words[0] + "".join(titles[1:])
        case "C":
            return "".join(titles)
        case "s":
            return "_".join(words)
        case "U":
            return "_".join(words).upper()
        case "k":
            return "-".join(words)
        case "n":
            return str(source.randint(0, source.choice((9, 99, 4000))))
        case "f":
            return f"{source.uniform(0, source.choice((1, 10, 100))):.{source.randint(1, 4)}f}"
        case "x":
            return f"{source.getrandbits(24):06x}"
        case _:
            return base64.b64encode(source.randbytes(15)).decode()


def _formula(source: random.Random) -> str:
    formula = source.choice(_ATOMS)
    for _ in range(source.randint(0, 3)):
        formula += source.choice(_OPERATORS) + source.choice(_ATOMS)
    return rf"\frac{{{formula}}}{{{source.choice(_ATOMS)}}}" if source.random() < 0.25 else formula


def _table(source: random.Random) -> str:
    """Numbers in rows, columns or one long line, hexadecimal or base64."""
    form = source.choice(("{:.0f}", "{:.0f}", "{:02.0f}", "{:.2f}", "-{:.3f}", "0x{:02x}", "0x{:04X}", "{:04x}"))
    top = source.choice((2, 10, 100, 256, 9999))

    def number() -> str:
        value = source.random() * top
        return form.format(value if "f}" in form else int(value))

    joint = source.choice((", ", ",", "\n", " ", "\t", ",\n", " | "))
    opening, closing = source.choice((("{ ", " },"), ("[ ", "],"), ("  ", ","), ("(", "),")))
    match source.randint(0, 4):
        case 0:
            return joint.join(number() for _ in range(90))
        case 1:
            row = source.randint(2, 12)
            return "\n".join(opening + ", ".join(number() for _ in range(row)) + closing for _ in range(30))
        case 2:
            rows = ([source.choice((number(), number(), "--", "n/a", "0")) for _ in range(8)] for _ in range(20))
            return "\n".join("  ".join(row) for row in rows)
        case 3:
            return base64.b64encode(source.randbytes(240)).decode()
        case _:
            return "\n".join(source.randbytes(2 * source.randint(2, 10)).hex() for _ in range(12))
