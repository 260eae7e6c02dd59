"""All that the Snakefile calls: jobs, chapters, checks of their output, the site."""
