"""`make costs`: what a month in AWS costs, computed from list prices and from what the functions use."""
