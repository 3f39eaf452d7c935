raise RuntimeError('a scratchpad never runs')
