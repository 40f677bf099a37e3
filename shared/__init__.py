"""Code that the functions share: the domain, its stores and the HTTP edge. Ships as one Lambda layer."""
