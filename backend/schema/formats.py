"""JSON Schema's formats as patterns: fewer values than a format has, each of them of it."""

_DATE = r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
_NAME = r"[a-z][a-z0-9]{0,14}"
_DOMAIN = rf"{_NAME}(\.{_NAME}){{0,1}}\.(com|org|net|io|de|uk|edu|gov)"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]{0,1}[0-9])"
_PATH = r"(/[A-Za-z0-9_-]{1,15}){0,3}"
_URI = rf"https://{_DOMAIN}{_PATH}"
_EMAIL = rf"{_NAME}([._-]{_NAME}){{0,2}}@{_DOMAIN}"

_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": r"(P[1-9][0-9]{0,2}[DWMY]|PT[1-9][0-9]{0,2}[HMS])",
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
    "regex": r"[a-z]{1,15}",
}

FORMATS = {name: f"^({pattern})$" for name, pattern in _FORMATS.items()}
