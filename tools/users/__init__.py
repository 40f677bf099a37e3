"""What operators do for a user: a new password, deletion, and what is kept of one."""
