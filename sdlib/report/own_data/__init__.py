"""The page on your own images: paired differences, cut-offs, margins, shifts, what to do next."""
