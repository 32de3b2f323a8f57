r"""Formulas in a model's text: which may reach KaTeX, and how they are written.

Streamlit runs KaTeX with no limit on sizes, so `\rule{100em}{100em}`, `\raisebox`, `\rlap` or
`\\[99em]` cover whatever is near. Only commands named here are passed on: a list of the forbidden
ones would be shorter, and wrong with KaTeX's next command. None of these takes a size, a place, a
colour, an address or a definition.
"""

import re

MAX_CHARACTERS = 2000
MOST_NEGATIVE_SPACES = 12

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
_KNOWN = frozenset(_COMMANDS.split())
_SIGNS = frozenset(r",:;>! {}|#%&_")
# Those that need a formula of its own line have a twin that stands within one.
_ENVIRONMENTS = {
    **dict.fromkeys(("align", "align*", "aligned", "split"), "aligned"),
    **dict.fromkeys(("gather", "gather*", "gathered", "equation", "equation*"), "gathered"),
    **{name: name for name in ("array", "cases", "rcases", "matrix", "smallmatrix")},
    **{f"{kind}matrix": f"{kind}matrix" for kind in "pbBvV"},
}
_PART = re.compile(
    r"""
      \\(?P<edge>begin|end)\s*\{(?P<environment>[a-z]+\*?)\}\s*(?P<columns>\{[lcr|\s]*\})?
    | (?P<row>\\\\)\*?(?:\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\])?(?:\s*(?P<bracket>\[))?
    | \\(?P<command>[a-zA-Z]+)
    | \\(?P<sign>.?)
    | (?P<bar>\|)
    | (?P<other>!(?=\[)|\](?=\()|:(?=[a-zA-Z])|<)
    """,
    re.VERBOSE,
)


def sanitize_latex(formula: str) -> str | None:
    """Write a formula as one line that is harmless even where it is not read as mathematics.

    Gives nothing for what is no formula, or one that could do more than be read.
    """
    formula = re.sub(r"[$`\s]+", " ", formula[: MAX_CHARACTERS + 1]).strip()
    if not formula or len(formula) > MAX_CHARACTERS or not _is_harmless(formula):
        return None
    return _PART.sub(_written, formula).strip()


def _is_harmless(formula: str) -> bool:
    parts = list(_PART.finditer(formula))
    negative_spaces = sum(part["sign"] == "!" for part in parts)
    return negative_spaces <= MOST_NEGATIVE_SPACES and all(map(_is_known, parts))


def _is_known(part: re.Match[str]) -> bool:
    if part["edge"]:
        return part["environment"] in _ENVIRONMENTS
    if part["command"]:
        return part["command"] in _KNOWN
    return part["sign"] is None or part["sign"] in _SIGNS


def _written(part: re.Match[str]) -> str:
    if part["edge"]:
        environment = rf"\{part['edge']}{{{_ENVIRONMENTS[part['environment']]}}}"
        # Without bars, since they end a table's cell even within a formula.
        return environment + re.sub(r"[|\s]", "", part["columns"] or "")
    if part["row"]:
        return r"\\{}[" if part["bracket"] else r"\\"  # never a size
    if part["bar"] or part["sign"] == "|":
        return r"\vert " if part["bar"] else r"\Vert "
    if part["other"]:
        return r"\lt " if part["other"] == "<" else f"{part['other']} "
    return part[0]
