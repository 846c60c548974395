"""One page per evaluation: figures, charts and examples in a single HTML file that needs neither network nor script."""
