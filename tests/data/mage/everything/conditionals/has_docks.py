@condition
def evaluate_condition(total, *args, **kwargs) -> bool:
    return total['hands'] > 0
