"""Words that say little about what a question is about, as they occur in questions about anything.

They are searched for like others, but that a passage has them is hardly evidence.
"""

from backend.files.retrieval.stemmer import stem

_WORDS = """
    able account achieve action active address advantages affect aim allow announce another answer
    approach area argue article aspect associated attribute author available aware become began
    begin believe benefit best better big bit both bring brought call case cause certain challenge
    change characteristic characterized claim close come common compare comparison concept concern
    condition consequence consider consist contain context contribute current date day deal deep
    define definition describing detail determine develop different difficult discuss document done
    due during each early effect effort emphasize enable ensure event every examine example exist
    expect express face fact factor far feature file find first follow found function gave general
    get given go goal good happen help high highlight identify illustrate impact implement
    implication important improve include increase indicate individual influence information initial
    instance instructions intend interpret involve issue keep key kind know known large last late
    lead least led less like long look lot made main major make manner many matter mean measure
    mentions method month more most much must name nature need new next note nowadays number occur
    offer often old one only order other outcome outline overall paper part particular particularly
    passage people perform period person place plan played point position possible potential present
    primary problem process propose protect provided purpose put question reaction reason receive
    recognize refer regard related relationship report request require respect respond response
    result role said same say second section see seen serve set several short show shown significant
    similar situation small soon sort speak specifically specify speech start states status step
    stop strategy subject suggest support take taken talk tall term text thing think third three
    time today together told took topic toward trying turn two type under understand undertake
    undertaken use value various versus view want way week well went wide within without work write
    written wrote year
""".split()  # noqa: SIM905
GENERIC_STEMS = frozenset(map(stem, _WORDS))
