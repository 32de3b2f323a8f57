r"""Sanitizing LaTeX formulas: an allow-list of the commands that may reach KaTeX.

Streamlit runs KaTeX without a size limit, so `\rule{100em}{100em}`, `\raisebox`, `\rlap` or
`\\[99em]` can cover other parts of the page. An allow-list, because a block-list would miss every
command that KaTeX adds. No allowed command takes a size, position, color, URL or definition.
"""

import re

MAX_CHARACTERS = 2000
MAX_NEGATIVE_SPACES = 12

_COMMANDS = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu
    nu xi omicron pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega digamma
    Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
    aleph beth ell hbar hslash imath jmath Re Im wp partial nabla infty emptyset varnothing
    forall exists nexists neg lnot top bot angle triangle square Box Diamond star prime dagger
    degree surd flat natural sharp checkmark clubsuit diamondsuit heartsuit spadesuit complement
    pm mp times div cdot ast circ bullet oplus ominus otimes oslash odot cap cup uplus sqcap sqcup
    wedge land vee lor setminus smallsetminus amalg ltimes rtimes bowtie wr
    ne neq equiv approx approxeq cong sim simeq propto doteq asymp le leq leqslant ge geq
    geqslant lt gt ll gg lll ggg prec preceq succ succeq subset subseteq subsetneq supset supseteq
    supsetneq sqsubseteq sqsupseteq in notin ni mid nmid parallel nparallel perp vdash dashv models
    vDash therefore because coloneqq colon not
    to gets leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow longleftarrow
    longrightarrow longleftrightarrow Longleftarrow Longrightarrow Longleftrightarrow iff implies
    impliedby mapsto longmapsto hookleftarrow hookrightarrow uparrow downarrow updownarrow Uparrow
    Downarrow Updownarrow nearrow searrow swarrow nwarrow leadsto rightharpoonup rightharpoondown
    leftharpoonup leftharpoondown rightleftharpoons leftrightharpoons xrightarrow xleftarrow
    sum prod coprod int iint iiint oint bigcap bigcup bigsqcup bigvee bigwedge bigoplus bigotimes
    bigodot biguplus limits nolimits
    arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf
    limsup ln log max min Pr sec sin sinh sup tan tanh argmax argmin operatorname bmod pmod mod
    frac dfrac tfrac cfrac binom dbinom tbinom sqrt overline underline overbrace underbrace overset
    underset stackrel substack boxed cancel bcancel xcancel
    hat widehat bar vec dot ddot tilde widetilde check breve acute grave mathring overrightarrow
    overleftarrow
    left right middle big Big bigg Bigg bigl bigr bigm Bigl Bigr Bigm biggl biggr biggm Biggl Biggr
    Biggm langle rangle lfloor rfloor lceil rceil lbrace rbrace lbrack rbrack vert Vert lvert rvert
    lVert rVert backslash
    text textbf textit textrm textsf texttt textnormal mathrm mathbf mathit mathsf mathtt mathbb
    mathcal mathfrak mathscr boldsymbol bm pmb rm bf it displaystyle textstyle scriptstyle
    ldots cdots vdots ddots dots dotsb dotsc quad qquad thinspace enspace hline
"""
_ALLOWED_COMMANDS = frozenset(_COMMANDS.split())
_ALLOWED_SYMBOLS = frozenset(r",:;>! {}|#%&_$")
_PAIRED = ("left", "right", "begin", "end")
# Display environments are replaced by their inline equivalents.
_ENVIRONMENTS = {
    **dict.fromkeys(("align", "align*", "aligned", "split"), "aligned"),
    **dict.fromkeys(("gather", "gather*", "gathered", "equation", "equation*"), "gathered"),
    **{name: name for name in ("array", "cases", "rcases", "matrix", "smallmatrix")},
    **{f"{kind}matrix": f"{kind}matrix" for kind in "pbBvV"},
}
_TOKEN = re.compile(
    r"""
      \\(?P<delimiter>begin|end)\s*\{(?P<environment>[a-z]+\*?)\}\s*(?P<columns>\{[lcr|\s]*\})?
    | (?P<row>\\\\)\*?(?:\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\])?(?:\s*(?P<bracket>\[))?
    | \\(?P<command>[a-zA-Z]+)
    | \\(?P<symbol>.?)
    | (?P<bar>\|)
    | (?P<literal>[$%\#])
    | (?P<alignment>&)
    | (?P<markdown>!(?=\[)|\](?=\()|:(?=[a-zA-Z])|<)
    """,
    re.VERBOSE,
)


def sanitize_latex(formula: str) -> str | None:
    """Return the formula on one line, harmless even if it is not parsed as math.

    Returns None if it is empty, too long, incomplete or uses anything that is not allowed.
    """
    formula = re.sub(r"[`\s]+", " ", formula[: MAX_CHARACTERS + 1]).strip()
    if not formula or len(formula) > MAX_CHARACTERS or not _is_allowed(formula):
        return None
    return _TOKEN.sub(_rewrite, formula).strip()


def _is_allowed(formula: str) -> bool:
    tokens = list(_TOKEN.finditer(formula))
    negative_spaces = sum(token["symbol"] == "!" for token in tokens)
    has_rows = any(token["delimiter"] for token in tokens)
    return (
        negative_spaces <= MAX_NEGATIVE_SPACES
        and all(map(_is_allowed_token, tokens))
        and (has_rows or not any(token["alignment"] for token in tokens))
        and _is_complete(formula)
    )


def _is_complete(formula: str) -> bool:
    """Return False if KaTeX would show an error because a brace or a command has no partner."""
    braces = re.sub(r"\\.", "", formula)
    count = {name: len(re.findall(rf"\\{name}(?![a-zA-Z])", formula)) for name in _PAIRED}
    return (
        braces.count("{") == braces.count("}")
        and not braces.rstrip().endswith(("^", "_"))
        and count["left"] == count["right"]
        and count["begin"] == count["end"]
    )


def _is_allowed_token(token: re.Match[str]) -> bool:
    if token["delimiter"]:
        return token["environment"] in _ENVIRONMENTS
    if token["command"]:
        return token["command"] in _ALLOWED_COMMANDS
    return token["symbol"] is None or token["symbol"] in _ALLOWED_SYMBOLS


def _rewrite(token: re.Match[str]) -> str:
    if token["delimiter"]:
        environment = rf"\{token['delimiter']}{{{_ENVIRONMENTS[token['environment']]}}}"
        # Without bars, which end a table cell even inside a formula.
        return environment + re.sub(r"[|\s]", "", token["columns"] or "")
    if token["row"]:
        return r"\\{}[" if token["bracket"] else r"\\"  # drop the size
    if token["literal"] or token["symbol"] == "$":
        sign = token["literal"] or "$"
        return r"\text{\textdollar}" if sign == "$" else rf"\{sign}"
    if token["bar"] or token["symbol"] == "|":
        return r"\vert " if token["bar"] else r"\Vert "
    if token["markdown"]:
        return r"\lt " if token["markdown"] == "<" else f"{token['markdown']} "
    return token[0]
