"""A run as one page that can be sent to a colleague, as Markdown for a repository, and as figures."""
