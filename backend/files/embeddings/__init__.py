"""Search by meaning: vectors of passages from a model that embeds texts, if there is one."""
