"""Read what a model server answers, streamed or whole, in whatever form it comes."""
