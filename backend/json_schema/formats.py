"""Patterns for the formats of JSON Schema: each matches only valid values, but not all of them."""

_DAY = r"(0[1-9]|[12][0-9])"
_DATE = (
    r"(19|20)[0-9]{2}-"
    rf"((0[13578]|1[02])-({_DAY}|3[01])|(0[469]|11)-({_DAY}|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
_WORD = r"[A-Za-z0-9][a-z0-9]{0,18}"  # three and two dots: 59 characters of 64 allowed
_LABEL = r"[a-z0-9][a-z0-9]{0,16}"  # three and two hyphens: 53 characters of 63 allowed
_DOMAIN = rf"{_LABEL}([.-]{_LABEL}){{0,2}}\.[a-z]{{2,6}}"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]{0,1}[0-9])"
_PATH = r"(/[A-Za-z0-9_.=&-]{1,20}){0,4}/{0,1}"
_URI = rf"https{{0,1}}://{_DOMAIN}{_PATH}"
_EMAIL = rf"{_WORD}([._+-]{_WORD}){{0,2}}@{_DOMAIN}"
_AMOUNT = r"[1-9][0-9]{0,2}"
_HOURS = rf"T{_AMOUNT}H{_AMOUNT}M"

FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": rf"P({_AMOUNT}[DWMY]|{_AMOUNT}DT{_AMOUNT}[HM]|T{_AMOUNT}[HMS]|{_HOURS})",
    "email": _EMAIL,
    "idn-email": _EMAIL,
    "hostname": _DOMAIN,
    "idn-hostname": _DOMAIN,
    "ipv4": rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}",
    "ipv6": r"[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}",
    "uri": _URI,
    "uri-reference": _URI,
    "iri": _URI,
    "iri-reference": _URI,
    "uri-template": _URI,
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "json-pointer": r"(/[A-Za-z0-9_]{1,15}){1,3}",
    "relative-json-pointer": r"[0-9](/[A-Za-z0-9_]{1,15}){0,3}",
    "regex": r"[a-z]{1,20}",
}
ENCODINGS = {"base64": r"([A-Za-z0-9+/]{4}){1,20}"}
