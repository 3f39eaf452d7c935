from small.utils.words import greet
from utils.names import full


@transformer
def transform(people, *args, **kwargs):
    return [greet(person) for person in people] + [full("the end")]
