"""What the Lambda functions share: the domain, its stores and the HTTP edge. Ships as one Lambda layer."""

import gc

# A cold start allocates much and frees next to nothing: collecting garbage as often as Python does by default
# would take a twentieth of it.
gc.set_threshold(50_000)
