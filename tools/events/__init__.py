"""What whoever is on call does about events that were not delivered: dead letters, and unpublished events."""
