@condition
def evaluate_condition(*args, **kwargs) -> bool:
    return True
