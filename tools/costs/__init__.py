"""`make costs`: computes the monthly cost in AWS from list prices and the functions' usage."""
