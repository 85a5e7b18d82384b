"""uhop and other libraries on the same arrays, in turn."""
