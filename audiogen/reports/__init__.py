"""Pages and figures: continuations, variations, evaluations and blind listening tests as self-contained HTML."""
