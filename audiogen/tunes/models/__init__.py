"""Models of tunes: the neural `token_model` with its auxiliary features and copy heads, and the `markov` chain."""
