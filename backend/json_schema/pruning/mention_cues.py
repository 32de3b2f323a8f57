"""What in a prompt stands for a property, besides its name: usual expressions and formats."""

_COLORS = (
    r"\b(colou?red|red|green|blue|yellow|black|white|brown|gr[ea]y|orange|purple|pink|silver)\b"
)
# Words that say nothing about what is mentioned: of English, of schemas, and of requests for data.
STOP_WORDS = frozenset(
    """
    a an and any are as at be been but by can do does for from had has have he her his how i if
    in into is it its me my no not of on one or our she so some such than that the their them
    then there these they this to us was we were what when where which who whose will with would
    you your optional required value values string number object array list field name names
    type used use make give write create please should must data item items given specifies
    describes contains example schema document realistic
    """.split()  # noqa: SIM905
)
# What people write in place of the usual names of properties.
CUES: dict[str, str] = {
    "age": r"\b(aged|years? old|year-old)\b",
    "birth": r"\bborn\b",
    "address": r"\b(lives? (at|in|on)|street|avenue|road)\b",
    "phone": r"\b(call(s|ed)?|phone|telephone|mobile|cell)\b|\+\d[\d ()-]{6,}",
    "email": r"\S@\S+\.\w",
    "mail": r"\S@\S+\.\w",
    "url": r"\bhttps?://|\bwww\.",
    "website": r"\bhttps?://|\bwww\.|\bsite\b",
    "homepage": r"\bhttps?://|\bwww\.",
    "price": r"[$€£¥]|\b(costs?|priced|dollars?|euros?|pounds?)\b",
    "cost": r"[$€£¥]|\b(costs?|dollars?|euros?|pounds?)\b",
    "amount": r"[$€£¥]|\b(dollars?|euros?|pounds?)\b",
    "currency": r"[$€£¥]|\b(dollars?|euros?|pounds?|usd|eur|gbp)\b",
    "salary": r"\b(earns?|paid|pay)\b",
    "weight": r"\b(weighs?|weighing|\d+ ?(kg|kilos?|kilograms?|grams?|pounds?|lbs?))\b",
    "height": r"\b(tall|high|height)\b",
    "length": r"\b(long|pages)\b",
    "width": r"\b(wide)\b",
    "depth": r"\b(deep)\b",
    "distance": r"\b(away|\d+ ?(km|kilometers?|kilometres?|miles?))\b",
    "duration": r"\b(lasts?|lasting|takes?|\d+ ?(minutes?|hours?|days?|weeks?))\b",
    "temperature": r"\b(degrees?|celsius|fahrenheit)\b|°",
    "language": r"\b(speaks?|written in|english|german|french|spanish|italian|chinese|japanese)\b",
    "employer": r"\b(works? (for|at)|employed)\b",
    "company": r"\b(works? (for|at)|inc|ltd|gmbh)\b",
    "occupation": r"\b(works? as|job|profession)\b",
    "job": r"\b(works? as|profession)\b",
    "author": r"\b(written by|wrote|writer|by [A-Z])",
    "publisher": r"\b(published by|released by)\b",
    "capacity": r"\b(seats|holds|room for)\b",
    "quantity": r"\b(\d+ (pieces|units|copies|boxes)|dozen)\b",
    "color": _COLORS,
    "colour": _COLORS,
    "spouse": r"\b(married|husband|wife)\b",
    "children": r"\b(kids?|sons?|daughters?|child)\b",
    "deadline": r"\b(due|until|no later than)\b",
    "due": r"\b(deadline|no later than)\b",
    "rating": r"\b(rated|stars?|out of (5|five|10|ten))\b",
    "gender": r"\b(male|female|man|woman|boy|girl)\b",
    "sex": r"\b(male|female|man|woman|boy|girl)\b",
    "nationality": r"\b(citizen|national)\b",
    "city": r"\b(town|lives? in|based in|located in)\b",
    "location": r"\b(located|based|takes place|held (in|at))\b",
    "country": r"\b(germany|france|spain|italy|england|britain|usa|america|china|japan|india)\b",
    "license": r"\b(licen[cs]ed|mit|apache|gpl)\b",
    "version": r"\bv?\d+\.\d+(\.\d+)?\b",
    "priority": r"\b(urgent|important)\b",
    "enabled": r"\b(switch(ed)? on|turn(ed)? on|active)\b",
    "disabled": r"\b(switch(ed)? off|turn(ed)? off|inactive)\b",
    "timeout": r"\b(give up|wait(s|ing)? (at most|up to))\b",
    "size": r"\b(large|small|medium|big|tiny|huge)\b",
    "status": r"\b(finished|pending|cancelled|active|done|open|closed)\b",
    "tag": r"\b(tagged|labelled|labeled)\b",
    "keyword": r"\b(tagged|topics?)\b",
    "description": r"\b(described|about)\b",
    "title": r"\b(titled|called|entitled)\b",
    "nickname": r"\b(known as|goes by)\b",
    "alias": r"\b(known as|goes by)\b",
}
FORMATS = {
    "email": r"\S@\S+\.\w",
    "idn-email": r"\S@\S+\.\w",
    "uri": r"\bhttps?://",
    "url": r"\bhttps?://",
    "ipv4": r"\b\d{1,3}(\.\d{1,3}){3}\b",
    "date": r"\b\d{4}-\d\d-\d\d\b",
    "date-time": r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d",
    "uuid": r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-",
}
