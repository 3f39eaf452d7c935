def full(name):
    return name.title()
