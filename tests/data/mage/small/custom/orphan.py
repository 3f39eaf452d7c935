# No pipeline has this block.
