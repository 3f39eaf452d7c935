from small.utils import names

GREETING = "good day"


def greet(name):
    return f"{GREETING}, {names.full(name)}"
