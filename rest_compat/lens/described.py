"""What Lens's routes read, for their documentation; a test compares it with what they do read."""

import orjson

from rest_compat.described import FLAG, TEXT, Body, Described, Parameter
from rest_compat.lens import auth, faults
from rest_compat.lens import questions as q

_EXAMPLES = [{"measures": ["orders.count"]}, {"dimensions": ["orders.status"]}]
_WRITTEN = [orjson.dumps(one).decode() for one in _EXAMPLES]
_QUERY = Parameter(
    "query",
    {"type": "string", "contentMediaType": "application/json", "examples": _WRITTEN},
    "A query, or a list of them, as JSON.",
    is_needed=True,
)
_TYPE = Parameter("queryType", TEXT, "`multi` for clients that know answers to several queries.")
_QUESTION = {
    "type": ["object", "array", "string"],
    "description": "A query, a list of them, or a text that holds either.",
    "examples": _EXAMPLES,
}

DESCRIBED = Described(
    title="Lens",
    text=(
        "The REST API of Lens and Cube: questions to a semantic model. `/load` answers"
        ' `{"error": "Continue wait"}` while a query goes on: ask the same again.'
    ),
    parameters={
        q.about: (Parameter("extended", FLAG, "With the SQL that the model's authors wrote."),),
        q.question: (_QUERY,),
        q.typed_question: (_QUERY, _TYPE),
    },
    bodies={
        q.question: Body({}, {"query": _QUESTION}, needed=("query",)),
        q.typed_question: Body({}, {"query": _QUESTION, "queryType": TEXT}, needed=("query",)),
    },
    path={
        "lens": {
            "type": "string",
            "minLength": 1,
            "description": "The project's uuid, also as `<workspace>:<uuid>`.",
        },
    },
    security={
        "lens.bearer": {"type": "http", "scheme": "bearer"},
        "lens.token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "An API key or a JWT, without a scheme.",
        },
        "lens.apikey": {"type": "apiKey", "in": "header", "name": "apikey"},
    },
    needs={"token": ({"lens.bearer": ()}, {"lens.token": ()}, {"lens.apikey": ()})},
    reasons=(
        ("UNAUTHENTICATED", auth.MISSING),
        ("BAD_USER_INPUT", faults.USER_ERROR),
    ),
)
