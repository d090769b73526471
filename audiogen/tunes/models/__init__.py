"""Models of tokens: Markov chain and networks, with the score features and copy heads that they read."""
