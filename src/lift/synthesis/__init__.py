"""Segments in, tasks out: prompts, the parser of streamed answers, the generator, its backends."""
