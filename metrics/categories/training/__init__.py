"""What the weights of `code` and `boilerplate` are trained on, and how. Nothing here runs when rows are labelled."""
